import type { JsonObject } from '../../json.ts'
import type { Note } from './content.ts'
import { answering, untied } from './replay.ts'

// What only the whole input shows: which items wait for an answer, and which reasoning has lost what it belongs to.

/** An input item on its way. */
export interface Draft {
  /** Index of the block that it came from. */
  readonly block: number
  /** Said to the model, said by the model, reasoned by it, or the result of a call. */
  readonly role: 'input' | 'output' | 'reasoning' | 'answer'
  /** Absent for reasoning that cannot be sent, so that what followed it can be told. */
  readonly item?: JsonObject
  /** The response that it came in, where that is known. */
  readonly response?: string
  /** Whether an output is cut off: reasoning before it belonged to the whole one. */
  readonly isPartial?: boolean
}

type NoteAt = (block: number) => Note

/** Leaves out calls that the program had to answer and did not, and answers without a call. */
export function withAnswersPaired(drafts: readonly Draft[], noteAt: NoteAt): readonly Draft[] {
  const called = new Set<string>()
  const answered = new Set<string>()
  for (const { item } of drafts) {
    const link = item === undefined ? undefined : answering(item)
    if (link?.isAnswer === false) called.add(link.key)
    if (link?.isAnswer === true && called.has(link.key)) answered.add(link.key)
  }
  const open = new Set<string>()
  const seen = new Set<string>()
  return drafts.filter(({ item, block }) => {
    const link = item === undefined ? undefined : answering(item)
    if (link === undefined) return true
    if (link.isAnswer) {
      const isKept = open.delete(link.key)
      if (!isKept)
        noteAt(block)('orphan-tool-result', `${link.key} is not in the conversation, or was answered already`)
      return isKept
    }
    const isKept = !seen.has(link.key) && (answered.has(link.key) || !link.isRequired)
    seen.add(link.key)
    if (isKept) open.add(link.key)
    else noteAt(block)('orphan-tool-call', `${link.key} was never answered, or was sent before`)
    return isKept
  })
}

/** Sends each item id once: the API refuses one that comes twice ("Duplicate item found with id msg_…"). */
export function withIdsOnce(drafts: readonly Draft[], noteAt: NoteAt): readonly Draft[] {
  const seen = new Set<unknown>()
  return drafts.flatMap((draft) => {
    const id = draft.item?.['id']
    if (draft.item === undefined || id === undefined || !seen.has(id)) {
      seen.add(id)
      return [draft]
    }
    noteAt(draft.block)('duplicate-item', 'an item with this id was sent before')
    const { item: _item, ...rest } = draft
    const item = untied(draft.item)
    if (item !== draft.item) return [{ ...rest, item }]
    return draft.role === 'reasoning' ? [rest] : []
  })
}

/**
 * Leaves out reasoning that is not directly followed by the item it led to ("Item 'rs_…' of type 'reasoning' was provided
 * without its required following item", github.com/openai/openai-node/issues/1567), and unties what followed it.
 */
export function withReasoningPaired(drafts: readonly Draft[], store: boolean, noteAt: NoteAt): readonly Draft[] {
  const kept = new Set<Draft>()
  for (const [index, draft] of [...drafts.entries()].toReversed()) {
    const next = drafts[index + 1]
    if (draft.role !== 'reasoning' || draft.item === undefined || next === undefined) continue
    if (leadsTo(draft, next, store) && (next.role === 'output' || kept.has(next))) kept.add(draft)
  }
  let lost: Draft | undefined
  return drafts.flatMap((draft) => {
    if (draft.role === 'reasoning') {
      lost = kept.has(draft) ? undefined : draft
      if (lost === undefined) return [draft]
      if (draft.item !== undefined)
        noteAt(draft.block)('unpaired-reasoning', 'the item that this reasoning led to does not follow it')
      return []
    }
    if (draft.role !== 'output' || lost === undefined || lost.response !== draft.response) {
      lost = undefined
      return [draft]
    }
    return draft.item === undefined ? [] : [{ ...draft, item: untied(draft.item) }]
  })
}

function leadsTo(reasoning: Draft, next: Draft, store: boolean): boolean {
  if (next.isPartial === true || !isSameReply(reasoning, next)) return false
  if (next.role === 'reasoning') return reasoning.response !== undefined && reasoning.response === next.response
  // A server that keeps the items looks for the very item. github.com/coder/coder/pull/23297
  return next.role === 'output' && (!store || next.item?.['id'] !== undefined)
}

function isSameReply(one: Draft, other: Draft): boolean {
  return one.response === undefined || other.response === undefined || one.response === other.response
}
