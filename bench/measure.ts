/** One way of doing the same work. */
export interface Contender {
  readonly name: string
  /** Does the work once and gives how many units it did. */
  readonly work: () => Promise<number>
}

export interface Measured {
  readonly name: string
  /** Microseconds of CPU for a unit: the median of the rounds, and their spread. */
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Lets the contenders take turns, so that what the machine does besides meets all of them. */
export async function measure(contenders: readonly Contender[], rounds: number): Promise<readonly Measured[]> {
  const samples = contenders.map((): number[] => [])
  for (const { work } of contenders) await work()
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { work }] of contenders.entries()) {
      const before = process.cpuUsage()
      const units = await work()
      const { user, system } = process.cpuUsage(before)
      samples[index]?.push((user + system) / units)
    }
  }
  return contenders.map(({ name }, index) => ({ name, ...spread(samples[index] ?? []) }))
}

export function spread(values: readonly number[]) {
  const sorted = values.toSorted((left, right) => left - right)
  return { median: sorted[sorted.length >> 1] ?? 0, least: sorted[0] ?? 0, most: sorted.at(-1) ?? 0 }
}
