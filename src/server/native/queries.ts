import * as v from 'valibot'

// What may be asked for behind a question mark.

const count = v.pipe(v.string(), v.regex(/^\d{1,15}$/, 'must be a whole number'), v.transform(Number))

/** `before` is what the page before gave. */
export const pageQuery = v.object({
  limit: v.optional(v.pipe(count, v.maxValue(500))),
  before: v.optional(v.pipe(v.string(), v.regex(/^[^/]+\/./, 'must be what the page before gave'))),
})
export const snapshotQuery = v.object({
  before: v.optional(count),
  inferences: v.optional(v.pipe(count, v.maxValue(500))),
})
export const logQuery = v.object({
  after: v.optional(count),
  limit: v.optional(v.pipe(count, v.minValue(1), v.maxValue(1000))),
})
