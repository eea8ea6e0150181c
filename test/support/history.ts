import { applyEvent } from '../../src/events/apply.ts'
import { decodeEvent } from '../../src/events/codec.ts'
import { isTerminal, type InferenceEvent } from '../../src/events/event.ts'
import { canonicalJson, type JsonObject } from '../../src/json.ts'
import { encodeTurn } from '../../src/turns/encode.ts'
import { createTurn, type Turn } from '../../src/turns/turn.ts'

// Holds a history to what was promised. It knows nothing of sessions and stores but the log itself, and what those who
// used them saw.

/** What was left behind by whatever happened. */
export interface History {
  /** The log: stored events, in the order of the file. */
  readonly events: readonly JsonObject[]
  readonly snapshots?: readonly { readonly turnId: string; readonly ordinal: number; readonly turn: Turn }[]
  /** Inferences whose acceptance somebody heard of, with the key that they came under. */
  readonly accepted?: readonly { readonly inferenceId: string; readonly key?: string }[]
  /** Inferences whose cancel somebody heard to have been taken. */
  readonly cancelled?: readonly string[]
  /** Approvals whose decision somebody heard to have been taken. */
  readonly decided?: readonly string[]
  /** Starts of tools, as the tools themselves saw them. */
  readonly effects?: readonly Effect[]
  /** What each viewer saw, from the ordinal after `after` on. */
  readonly viewers?: readonly { readonly after: number; readonly events: readonly JsonObject[] }[]
  /** Whether all should have come to an end. */
  readonly isHealed: boolean
}
export interface Effect {
  readonly tool: string
  readonly effect: 'read' | 'idempotent' | 'none'
  readonly inferenceId: string
  readonly toolCallId: string
  readonly idempotencyKey: string
}

/** What is wrong with a history; nothing, when every promise was kept. */
export function violations(history: History): readonly string[] {
  const events = history.events.map((stored) => decodeEvent(stored)).filter((event) => event.type !== 'unknown')
  return [
    ...ordinals(history),
    ...lifecycles(events, history.isHealed),
    ...acknowledged(events, history),
    ...heard(events, history),
    ...answeredByClients(events),
    ...restarts(events),
    ...effects(events, history.effects ?? []),
    ...views(history),
    ...turns(events, history),
  ]
}

function ordinals({ events }: History): readonly string[] {
  const wrong = events.findIndex((event, at) => event['ordinal'] !== at + 1)
  return wrong < 0 ? [] : [`the ordinal at place ${wrong + 1} is ${JSON.stringify(events[wrong]?.['ordinal'])}`]
}

function lifecycles(events: readonly InferenceEvent[], isHealed: boolean): readonly string[] {
  const found: string[] = []
  const ends = new Map<string, number>()
  const seen = new Set<string>()
  let active: string | undefined
  for (const event of events) {
    const { inferenceId, type, ordinal } = event
    if (inferenceId === undefined) continue
    seen.add(inferenceId)
    if (ends.has(inferenceId)) found.push(`${type} at ${ordinal} comes after the end of ${inferenceId}`)
    if (type === 'inference-started') {
      if (active !== undefined) found.push(`${inferenceId} starts at ${ordinal} while ${active} runs`)
      active = inferenceId
    }
    if (!isTerminal(event)) continue
    ends.set(inferenceId, ordinal)
    if (active === inferenceId) active = undefined
  }
  if (isHealed) for (const id of seen) if (!ends.has(id)) found.push(`${id} never ends`)
  return found
}

function acknowledged(events: readonly InferenceEvent[], { accepted = [] }: History): readonly string[] {
  const found: string[] = []
  const inLog = new Map<string, string | undefined>()
  const byKey = new Map<string, string>()
  for (const event of events) {
    if (event.type !== 'prompt-accepted') continue
    if (inLog.has(event.inferenceId)) found.push(`${event.inferenceId} was accepted twice`)
    inLog.set(event.inferenceId, event.key)
    if (event.key === undefined) continue
    if (byKey.has(event.key)) found.push(`the key ${event.key} made two inferences`)
    byKey.set(event.key, event.inferenceId)
  }
  for (const { inferenceId, key } of accepted) {
    if (!inLog.has(inferenceId)) found.push(`${inferenceId} was acknowledged and is not in the log`)
    if (key !== undefined && byKey.get(key) !== inferenceId)
      found.push(`the key ${key} was answered with ${inferenceId}`)
  }
  return found
}

function heard(events: readonly InferenceEvent[], { cancelled = [], decided = [] }: History): readonly string[] {
  const stopped = new Set<string>()
  const decisions = new Set<string>()
  const twice = new Set<string>()
  for (const event of events) {
    if (event.type === 'cancel-requested' || event.type === 'inference-stopped') stopped.add(event.inferenceId)
    if (event.type !== 'approval-decided') continue
    if (decisions.has(event.approvalId)) twice.add(event.approvalId)
    decisions.add(event.approvalId)
  }
  return [
    ...[...twice].map((id) => `the approval ${id} was decided on twice`),
    ...cancelled
      .filter((id) => !stopped.has(id))
      .map((id) => `the cancel of ${id} was acknowledged and is not in the log`),
    ...decided
      .filter((id) => !decisions.has(id))
      .map((id) => `the decision on ${id} was acknowledged and is not in the log`),
  ]
}

/** What a client answered a call with is its result, and nothing else is. */
function answeredByClients(events: readonly InferenceEvent[]): readonly string[] {
  const asked = new Map<string, string>()
  const answers = new Map<string, string>()
  const found: string[] = []
  for (const event of events) {
    if (!('toolCallId' in event)) continue
    const call = `${event.inferenceId}/${event.toolCallId}`
    if (event.type === 'approval-requested' && event.reason === 'client-tool') asked.set(event.approvalId, call)
    if (event.type === 'approval-decided' && asked.get(event.approvalId) === call && event.decision === 'approved')
      answers.set(call, canonicalJson(event.result ?? null))
    if (event.type === 'tool-execution-started' && [...asked.values()].includes(call))
      found.push(`${call} is its client's to run, and was run here`)
    if (event.type !== 'tool-result-ready' || ![...asked.values()].includes(call)) continue
    const result =
      event.block.payload.error === undefined ? canonicalJson(event.block.payload.result ?? null) : undefined
    if (result !== answers.get(call)) found.push(`${call} was answered with ${answers.get(call)} and has ${result}`)
  }
  return found
}

/**
 * An inference is taken up at most three times without a finished step, each counted, and given up only then. One that
 * was handed over, or that only waited for a decision, is taken up as often as it takes.
 */
function restarts(events: readonly InferenceEvent[]): readonly string[] {
  const found: string[] = []
  const counts = new Map<string, number>()
  const last = new Map<string, number>()
  const underWay = new Set<string>()
  const asked = new Set<string>()
  let isHandedOver = false
  let waitedJustNow = false
  let active: string | undefined
  for (const event of events) {
    const { inferenceId = '' } = event
    if (event.type === 'inference-started') active = inferenceId
    if (inferenceId !== active) continue // a prompt that waits
    const isWaiting = asked.size > 0 && underWay.size === 0
    // Whether others said so before the death or after it, a log cannot say.
    const isHeard = event.type === 'approval-decided' || event.type === 'cancel-requested'
    const wasWaiting = waitedJustNow
    waitedJustNow = isHeard && (isWaiting || waitedJustNow)
    switch (event.type) {
      case 'inference-started':
        underWay.clear()
        asked.clear()
        isHandedOver = false
        break
      case 'provider-call-started':
        underWay.add('reply')
        break
      case 'provider-call-finished':
        underWay.delete('reply')
        break
      case 'tool-execution-started':
        underWay.add(event.toolCallId)
        break
      case 'approval-requested':
        underWay.delete(event.toolCallId) // asked about because nobody saw it end
        asked.add(event.toolCallId)
        break
      case 'approval-decided':
        asked.delete(event.toolCallId)
        break
      case 'tool-result-ready':
        underWay.delete(event.toolCallId)
        break
      default:
    }
    if (event.type === 'inference-handed-over') isHandedOver = true
    if (event.type === 'inference-resumed') {
      const before = counts.get(inferenceId) ?? 0
      const isExcused = isHandedOver || isWaiting || (wasWaiting && event.restarts === before)
      isHandedOver = false
      const count = isExcused ? before : before + 1
      counts.set(inferenceId, count)
      last.set(inferenceId, count)
      if (event.restarts !== count || count > 3) found.push(`restart ${count} of ${inferenceId} says ${event.restarts}`)
    }
    if (event.type === 'provider-call-finished' || event.type === 'tool-result-ready') counts.delete(inferenceId)
    if (event.type === 'inference-failed' && event.error.code === 'INFERENCE_POISONED') {
      const count = last.get(inferenceId) ?? 0
      if (count !== 3) found.push(`${inferenceId} was given up after ${count} restarts`)
    }
  }
  return found
}

/** How often a call may start: once, and once more for each time that somebody allowed it knowing of the first. */
function effects(events: readonly InferenceEvent[], starts: readonly Effect[]): readonly string[] {
  const found: string[] = []
  const asked = new Set<string>()
  const allowed = new Map<string, number>()
  const intents = new Map<string, number>()
  for (const event of events) {
    if (!('toolCallId' in event)) continue
    const call = `${event.inferenceId}/${event.toolCallId}`
    if (event.type === 'tool-execution-started') intents.set(call, (intents.get(call) ?? 0) + 1)
    if (event.type === 'approval-requested' && event.reason === 'outcome-unknown') asked.add(event.approvalId)
    if (event.type === 'approval-decided' && event.decision === 'approved' && asked.has(event.approvalId))
      allowed.set(call, (allowed.get(call) ?? 0) + 1)
  }
  const counts = new Map<string, number>()
  const keys = new Map<string, string>()
  for (const { tool, effect, inferenceId, toolCallId, idempotencyKey } of starts) {
    const call = `${inferenceId}/${toolCallId}`
    const count = (counts.get(call) ?? 0) + 1
    counts.set(call, count)
    if (effect === 'none' && count > 1 + (allowed.get(call) ?? 0))
      found.push(`${tool} started ${count} times for ${call}`)
    if (count > (intents.get(call) ?? 0)) found.push(`${tool} started for ${call} without an intent in the log`)
    if ((keys.get(call) ?? idempotencyKey) !== idempotencyKey) found.push(`${call} was given two idempotency keys`)
    keys.set(call, idempotencyKey)
  }
  return found
}

function views({ events, viewers = [] }: History): readonly string[] {
  return viewers.flatMap(({ after, events: seen }, viewer) =>
    seen.flatMap((event, at) =>
      canonicalJson(event) === canonicalJson(events[after + at] ?? null)
        ? []
        : [`viewer ${viewer} saw something else at ${after + at + 1} than the log has`],
    ),
  )
}

function turns(events: readonly InferenceEvent[], { snapshots = [] }: History): readonly string[] {
  const found: string[] = []
  const byOrdinal = new Map<number, typeof snapshots>()
  for (const snapshot of snapshots)
    byOrdinal.set(snapshot.ordinal, [...(byOrdinal.get(snapshot.ordinal) ?? []), snapshot])
  let turn = createTurn()
  for (const event of events) {
    if (event.type === 'turn-opened' || event.turnId === turn.id) turn = applyEvent(turn, event)
    for (const snapshot of byOrdinal.get(event.ordinal) ?? []) {
      if (canonicalJson(encodeTurn(snapshot.turn)) !== canonicalJson(encodeTurn(turn)))
        found.push(`the snapshot of ${snapshot.turnId} at ${snapshot.ordinal} is not the fold of the log`)
    }
  }
  return found
}
