import { GeppettoError } from '../../errors.ts'
import { applyEvent } from '../../events/apply.ts'
import type { EventOf } from '../../events/event.ts'
import { jsonSchemaInput } from '../../inference/tool.ts'
import type { JsonObject } from '../../json.ts'
import { canProject } from '../../providers/model-engine.ts'
import { readEvents, readInference } from '../../session/past.ts'
import { sha256Hex } from '../../sha256.ts'
import type { Head, Store } from '../../store/store.ts'
import { runtimeKey, toolDefinitionsKey } from '../../turns/keys.ts'
import { createTurn, type Turn } from '../../turns/turn.ts'
import type { Profiles } from '../profile.ts'

/**
 * The requests that the inference of a turn sent to its model, each as it was: the turn of that moment, projected again.
 * The log keeps the hash of what was sent, so `is_exact` says whether these are the very bytes; they are not when the
 * profile, a hidden view of the turn or this library has changed since. Throws TURN_UNKNOWN.
 */
export async function requestsOf(
  store: Store,
  profiles: Profiles,
  head: Head,
  turnId: string,
): Promise<{ readonly items: readonly JsonObject[] }> {
  const items: JsonObject[] = []
  for (const inferenceId of await inferencesOf(store, head, turnId)) {
    const recorded = await readInference(store, head.sessionId, inferenceId)
    let turn = recorded?.input ?? createTurn()
    for (const event of recorded?.events ?? []) {
      if (event.type === 'provider-call-started') items.push(requestItem(profiles, turn, event))
      turn = applyEvent(turn, event)
    }
  }
  return { items }
}

async function inferencesOf(store: Store, { sessionId, ordinal }: Head, turnId: string): Promise<ReadonlySet<string>> {
  const places = (await store.find(turnId)).filter((place) => place.sessionId === sessionId && place.ordinal > 0)
  const found = new Set<string>()
  for (const place of places) {
    for await (const event of readEvents(store, sessionId, place.ordinal - 1, Math.min(place.ordinal, ordinal))) {
      if (event.turnId === turnId && event.inferenceId !== undefined) found.add(event.inferenceId)
    }
  }
  if (places.length === 0) throw unknownTurn(sessionId, turnId)
  return found
}

function requestItem(profiles: Profiles, turn: Turn, event: EventOf<'provider-call-started'>): JsonObject {
  const { at, ordinal, inferenceId, providerCallId, attempt, provider, model, requestHash } = event
  const ids = { ordinal, at, inference_id: inferenceId, provider_call_id: providerCallId, attempt, provider, model }
  const runtime = profiles.runtimeOf(runtimeKey.get(turn))
  const engine = profiles.named(runtime.profile).model
  if (!canProject(engine)) return { ...ids, body: null, repairs: [], is_exact: false }
  const tools = (toolDefinitionsKey.get(turn) ?? []).map(({ name, description = '', parameters = {} }) => ({
    name,
    description,
    input: jsonSchemaInput(parameters),
  }))
  const { body, repairs } = engine.project(turn, tools)
  const hash = sha256Hex(JSON.stringify(body))
  return {
    ...ids,
    body,
    sha256: hash,
    is_exact: requestHash === undefined ? provider === 'scripted' : requestHash === hash,
    repairs: repairs.map(({ repair, block, detail }) => ({ repair, block, detail })),
  }
}

function unknownTurn(sessionId: string, turnId: string): GeppettoError {
  return new GeppettoError('TURN_UNKNOWN', `Session ${sessionId} has no turn ${turnId}.`, {
    details: { sessionId, turnId },
  })
}
