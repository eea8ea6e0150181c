import type { InferenceEvent } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import { stateOf } from '../../session/writer.ts'
import { fromEntry } from '../../store/entry.ts'
import type { Head, Store } from '../../store/store.ts'

const titleLength = 80

/** What a list says of a session that only its log knows. */
export interface Introduction extends JsonObject {
  /** The name that a person gave it, or the beginning of the first thing that was said in it; empty when nothing was. */
  readonly title: string
  /** Where it was forked from: the session, and the block before which the fork ends, if it ends before one. */
  readonly origin?: { readonly session_id: string; readonly before?: string }
}

export async function introductionOf(store: Store, head: Head): Promise<Introduction> {
  const { sessionId, firstOrdinal } = head
  // A fork may begin with nothing said; then the first prompt comes next.
  const entries = await store.read(sessionId, { after: firstOrdinal - 1, limit: 2 })
  const events = entries.map((entry) => fromEntry(sessionId, entry)).filter((event) => event.type !== 'unknown')
  const { title = shortened(events.map(firstText).find((text) => text !== undefined) ?? '') } = stateOf(head)
  const [first] = events
  if (first?.type !== 'turn-opened' || first.origin === undefined) return { title }
  const { sessionId: session_id, before } = first.origin
  return { title, origin: { session_id, ...(before !== undefined && { before }) } }
}

function firstText(event: InferenceEvent): string | undefined {
  if (event.type === 'prompt-accepted') return event.block.payload.text
  const first = event.type === 'turn-opened' ? event.delta.add.find(({ kind }) => kind === 'user') : undefined
  return first?.kind === 'user' ? first.payload.text : undefined
}

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length <= titleLength ? line : `${line.slice(0, titleLength - 1).toWellFormed()}…`
}
