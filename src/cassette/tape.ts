import type { CassetteLine, LineOf } from './format.ts'

export type ReadKind = 'now' | 'monotonic' | 'ids'
export type ReadCounts = Readonly<Record<ReadKind, number>>

/** What came from outside, and how many readings the program had taken when it came. */
export interface Arrival {
  readonly line: Exclude<CassetteLine, LineOf<'reads' | 'request' | 'tool-call' | 'end'>>
  readonly after: ReadCounts
}

/** The lines of a cassette, sorted by who asks for them. */
export interface Tape {
  readonly now: readonly number[]
  readonly monotonic: readonly number[]
  readonly ids: readonly string[]
  readonly requests: readonly LineOf<'request'>[]
  readonly calls: readonly LineOf<'tool-call'>[]
  readonly arrivals: readonly Arrival[]
}

export function sortLines(lines: readonly CassetteLine[]): Tape {
  const now: number[] = []
  const monotonic: number[] = []
  const ids: string[] = []
  const requests: LineOf<'request'>[] = []
  const calls: LineOf<'tool-call'>[] = []
  const arrivals: Arrival[] = []
  for (const line of lines) {
    switch (line.type) {
      case 'reads':
        for (const step of line.now ?? []) now.push((now.at(-1) ?? 0) + step)
        for (const step of line.monotonic ?? []) monotonic.push((monotonic.at(-1) ?? 0) + step)
        ids.push(...(line.ids ?? []))
        break
      case 'request':
        requests.push(line)
        break
      case 'tool-call':
        calls.push(line)
        break
      case 'end':
        break
      default:
        arrivals.push({ line, after: { now: now.length, monotonic: monotonic.length, ids: ids.length } })
    }
  }
  return { now, monotonic, ids, requests, calls, arrivals }
}
