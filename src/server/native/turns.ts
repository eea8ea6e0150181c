import type { Context } from 'hono'
import { parseAccept } from 'hono/utils/accept'
import * as v from 'valibot'
import { GeppettoError } from '../../errors.ts'
import type { JsonObject } from '../../json.ts'
import { readTurn } from '../../store/block-log.ts'
import type { Head, Snapshot, Store } from '../../store/store.ts'
import { encodeTurn } from '../../turns/encode.ts'
import { writeYaml } from '../../turns/yaml-writer.ts'
import { parseAs } from '../body.ts'
import type { RouteEnv } from '../context.ts'

const count = v.pipe(v.string(), v.regex(/^\d{1,9}$/, 'must be a whole number'), v.transform(Number))
export const turnsQuery = v.object({
  turn_id: v.optional(v.string()),
  phase: v.optional(v.picklist(['pre_inference', 'post_inference', 'post_tools', 'final'])),
  limit: v.optional(v.pipe(count, v.minValue(1), v.maxValue(200))),
  before: v.optional(count),
  format: v.optional(v.picklist(['json', 'yaml'])),
})

/** A snapshot of a turn, as clients get it. */
export interface TurnItem extends JsonObject {
  readonly phase: string
  readonly created_at: string
  readonly turn: JsonObject
}

export interface TurnPage {
  readonly items: readonly TurnItem[]
  /** Give it as `before` for the snapshots that come before these. */
  readonly before?: number
}

/**
 * The session's snapshots in the order in which they were taken: the last ones, or those of one turn. `limit` (default
 * 50) counts snapshots that are looked at: each is the whole context of its moment.
 */
export async function turnItems(store: Store, head: Head, asked: unknown): Promise<TurnPage> {
  const { turn_id: turnId, phase, limit = 50, before } = parseAs(turnsQuery, asked)
  const end = Math.min(before ?? head.snapshots, head.snapshots)
  const from = turnId === undefined ? Math.max(end - limit, 0) : 0
  const snapshots = await store.snapshots(
    head.sessionId,
    turnId === undefined ? { from, limit: end - from } : { turnId, limit },
  )
  if (turnId !== undefined && snapshots.length === 0) throw unknownTurn(head.sessionId, turnId)
  const wanted = snapshots.filter((snapshot) => phase === undefined || snapshot.phase === phase)
  const items = await Promise.all(wanted.map((snapshot) => itemOf(store, head.sessionId, snapshot)))
  return { items, ...(from > 0 && { before: from }) }
}

async function itemOf(store: Store, sessionId: string, snapshot: Snapshot): Promise<TurnItem> {
  const { phase, at, turnId, inferenceId, ordinal, hash } = snapshot
  const turn = encodeTurn(await readTurn(store, sessionId, snapshot))
  const ids = { turn_id: turnId, ...(inferenceId !== undefined && { inference_id: inferenceId }) }
  return { phase, created_at: at, ...ids, ordinal, hash, turn }
}

/** The page as JSON, or as YAML for who prefers that (`accept: application/yaml`, `?format=yaml`). */
export function turnsAnswer(c: Context<RouteEnv>, page: TurnPage): Response {
  const format = c.req.query('format') ?? (prefersYaml(c.req.header('accept') ?? '') ? 'yaml' : 'json')
  if (format === 'json') return c.json(page)
  return c.body(writeYaml({ ...page }), 200, { 'content-type': 'application/yaml; charset=utf-8' })
}

function prefersYaml(accept: string): boolean {
  const accepted = parseAccept(accept).filter(
    ({ type, q }) => q > 0 && /\b(?:json|yaml)$|^\*|^application\/\*$/.test(type),
  )
  return accepted[0] !== undefined && /\byaml$/.test(accepted[0].type) // what is liked best comes first
}

function unknownTurn(sessionId: string, turnId: string): GeppettoError {
  return new GeppettoError('TURN_UNKNOWN', `Session ${sessionId} has no turn ${turnId}.`, {
    details: { sessionId, turnId },
  })
}
