import * as v from 'valibot'
import { phases } from '../../events/event.ts'

// The shapes of what our own API answers, for its document; what the routes give is held to them by a test.

const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const time = v.pipe(v.string(), v.isoTimestamp())
const anything = v.record(v.string(), v.any())

export const sessionSchema = v.object({
  session_id: v.string(),
  created_at: time,
  updated_at: time,
  ordinal: count,
  is_active: v.boolean(),
  title: v.string(),
  /** Where it was forked from: the session, and the block before which the fork ends, if it ends before one. */
  origin: v.optional(v.object({ session_id: v.string(), before: v.optional(v.string()) })),
})

export const snapshotSchema = v.object({
  session_id: v.string(),
  ordinal: count,
  /** Of the first event that is still in the log. */
  first_ordinal: count,
  timeline: v.object({ version: v.literal(1), ordinal: count, entities: v.array(anything) }),
  active_inference: v.nullable(v.string()),
  queued: v.array(v.string()),
  created_at: time,
  updated_at: time,
  /** There is more before it: give it as `before`. */
  before: v.optional(count),
})

export const turnItemSchema = v.object({
  phase: v.picklist(phases),
  created_at: time,
  turn_id: v.string(),
  inference_id: v.optional(v.string()),
  ordinal: count,
  hash: v.string(),
  turn: v.looseObject({ id: v.string(), blocks: v.array(anything) }),
})

export const turnPageSchema = v.object({ items: v.array(turnItemSchema), before: v.optional(count) })

export const requestItemSchema = v.object({
  ordinal: count,
  at: time,
  inference_id: v.string(),
  provider_call_id: v.string(),
  attempt: count,
  provider: v.string(),
  model: v.string(),
  body: v.nullable(anything),
  sha256: v.optional(v.string()),
  is_exact: v.boolean(),
  repairs: v.array(v.object({ repair: v.string(), block: count, detail: v.string() })),
})

export const acceptedSchema = v.object({
  session_id: v.string(),
  turn_id: v.string(),
  inference_id: v.string(),
  status: v.literal('queued'),
  ordinal: count,
})

export const stepsAnswerSchema = v.object({
  session_id: v.string(),
  enabled: v.boolean(),
  phases: v.optional(v.array(v.string())),
  pauses: v.array(
    v.object({
      pause_id: v.string(),
      phase: v.string(),
      summary: v.string(),
      deadline_ms: count,
      extra: v.optional(anything),
    }),
  ),
})

export const profileSchema = v.object({
  slug: v.string(),
  description: v.string(),
  tools: v.array(v.object({ name: v.string(), description: v.string() })),
  allows_overrides: v.boolean(),
  cost: v.optional(anything),
})

export const logPageSchema = v.object({
  session_id: v.string(),
  ordinal: count,
  events: v.array(anything),
  /** There is more: give it as `after`. */
  next: v.optional(count),
})

export const traceSchema = v.object({
  id: v.string(),
  traces: v.array(
    v.object({
      session_id: v.string(),
      of: v.picklist(['session', 'turn', 'inference', 'step']),
      events: v.array(anything),
    }),
  ),
})
