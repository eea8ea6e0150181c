import type { Clock } from '../clock.ts'
import { logCases } from './conformance-log.ts'
import { HandClock } from './conformance-samples.ts'
import { sessionCases } from './conformance-sessions.ts'
import type { Store } from './store.ts'

/** One thing that every store does. It throws an AssertionError when a store does not. */
export interface ConformanceCase {
  readonly name: string
  /** `open` gives a store that is empty, and goes by `clock`, which the case moves. */
  run(open: (options: { readonly clock: Clock }) => Promise<Store>): Promise<void>
}

/** What a store must do, as cases for any test runner: `for (const { name, run } of storeConformance()) test(name, () => run(open))`. */
export function storeConformance(): readonly ConformanceCase[] {
  return Object.entries({ ...logCases, ...sessionCases }).map(([name, check]) => ({
    name,
    async run(open) {
      const clock = new HandClock()
      const store = await open({ clock })
      try {
        await check(store, clock)
      } finally {
        await store.close()
      }
    },
  }))
}
