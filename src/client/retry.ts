import type { GeppettoError } from '../errors.ts'
import type { Random } from './chance.ts'

const [firstMs, mostMs] = [250, 10_000]
/** The most that is waited because a server asks for it. */
const mostAskedMs = 60_000

/**
 * How long to wait before attempt `attempt` (from 0) is followed by another: what the server asks for, and any time up
 * to a limit that doubles from 250 ms to 10 s, so that clients who lost the same server do not come back together.
 */
export function retryDelayMs({ details }: GeppettoError, attempt: number, random: Random): number {
  const asked = details['retryAfterMs']
  const askedMs = typeof asked === 'number' ? Math.min(Math.max(asked, 0), mostAskedMs) : 0
  return askedMs + random() * Math.min(firstMs * 2 ** Math.min(attempt, 16), mostMs)
}
