import type { NewId } from '../../src/clock.ts'

/** Ids that a test can name: `id-1`, `id-2`, … */
export function countingIds(prefix = 'id'): NewId {
  let count = 0
  return () => {
    count += 1
    return `${prefix}-${count}`
  }
}

/** Freezes `value` and all that it holds, so that a change in place throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const item of Object.values(value)) deepFreeze(item)
  return value
}

/** Everything that `items` gives, when it has ended. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}
