/** Where chance comes from: a number from 0 up to and without 1. */
export type Random = () => number

export const systemRandom: Random = () => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32

const [firstMs, mostMs] = [250, 10_000]

/**
 * How long to wait before attempt `attempt` (from 0) is followed by another: any time up to a limit that doubles from
 * 250 ms to 10 s, so that clients who lost the same server do not come back together.
 */
export function retryDelayMs(attempt: number, random: Random): number {
  return random() * Math.min(firstMs * 2 ** Math.min(attempt, 16), mostMs)
}
