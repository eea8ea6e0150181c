import { stateOf } from '../../session/writer.ts'
import { fromEntry } from '../../store/entry.ts'
import type { Head, Store } from '../../store/store.ts'

const titleLength = 80

/**
 * What a list calls a session: the name that a person gave it, or the beginning of the first thing that was said in it;
 * empty when nothing was.
 */
export async function titleOf(store: Store, head: Head): Promise<string> {
  const { sessionId, firstOrdinal } = head
  const { title } = stateOf(head)
  if (title !== undefined) return title
  for (const entry of await store.read(sessionId, { after: firstOrdinal - 1, limit: 1 })) {
    const event = fromEntry(sessionId, entry)
    if (event.type === 'prompt-accepted') return shortened(event.block.payload.text ?? '')
    const first = event.type === 'turn-opened' ? event.delta.add.find(({ kind }) => kind === 'user') : undefined
    if (first?.kind === 'user') return shortened(first.payload.text ?? '')
  }
  return ''
}

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length <= titleLength ? line : `${line.slice(0, titleLength - 1).toWellFormed()}…`
}
