import { sha256Hex } from '../../sha256.ts'
import type { ProjectionRepair } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import type { Block, ToolCallBlock } from '../../turns/block.ts'
import { answersByCall, missingResult } from '../tool-answers.ts'
import { text } from '../wire.ts'
import { wellFormed } from '../well-formed.ts'
import { inputText, outputContent, userContent, type Note } from './content.ts'
import { withAnswersPaired, withIdsOnce, withReasoningPaired, type Draft } from './draft.ts'
import { isCut, responseOf, type Said } from './own-item.ts'
import { assistantDraft, otherDrafts, reasoningDrafts } from './said.ts'
import { sentCall } from './sent-call.ts'

/** The input items of a request, and what was changed so that the API accepts them. */
export interface Input {
  readonly items: readonly JsonObject[]
  readonly repairs: readonly ProjectionRepair[]
}

/** The blocks of a turn as input items, in their order. Any list of blocks gives valid input. */
export function toInput(blocks: readonly Block[], store: boolean): Input {
  const repairs: ProjectionRepair[] = []
  const noteAt =
    (block: number): Note =>
    (repair, detail) =>
      repairs.push({ repair, block, detail })
  const drafts = new Drafts(blocks, store, noteAt).drafts()
  const paired = withReasoningPaired(withIdsOnce(withAnswersPaired(drafts, noteAt), noteAt), store, noteAt)
  const items = paired.flatMap(({ item, block }) => {
    if (item === undefined) return []
    const sendable = wellFormed(item)
    if (sendable !== item) noteAt(block)('lone-surrogate', 'text with half of a surrogate pair')
    return [sendable]
  })
  if (items.length > 0) return { items, repairs }
  noteAt(0)('missing-user-message', 'there is nothing to send; a user message is put in')
  return { items: [{ role: 'user', content: [inputText('Continue.')] }], repairs }
}

interface OpenCall {
  readonly index: number
  readonly item: JsonObject
  readonly response: string | undefined
}

/** The longest call id that the API takes. */
const maxCallId = 64

/** Takes the blocks one by one, and sees to it that each call is answered behind the reply that made it. */
class Drafts {
  readonly #blocks: readonly Block[]
  readonly #store: boolean
  readonly #noteAt: (block: number) => Note
  readonly #answers: ReadonlyMap<number, number>
  readonly #callOf: ReadonlyMap<number, number>
  readonly #callIds = new Set<string>()
  readonly #drafts: Draft[] = []
  #open: OpenCall[] = []

  constructor(blocks: readonly Block[], store: boolean, noteAt: (block: number) => Note) {
    this.#blocks = blocks
    this.#store = store
    this.#noteAt = noteAt
    this.#answers = answersByCall(blocks)
    this.#callOf = new Map([...this.#answers].map(([call, result]) => [result, call]))
  }

  drafts(): readonly Draft[] {
    for (const [index, block] of this.#blocks.entries()) this.#read(index, block)
    this.#answerCalls()
    return this.#drafts
  }

  #read(index: number, block: Block): void {
    const note = this.#noteAt(index)
    const said: Said = { index, store: this.#store, note }
    switch (block.kind) {
      case 'user':
        return this.#say('user', index, userContent(block, note))
      case 'system':
        return this.#say('system', index, block.payload.text === '' ? [] : [inputText(block.payload.text)])
      case 'llm_text':
        return this.#add(assistantDraft(block, said))
      case 'reasoning':
        return this.#add(reasoningDrafts(block, said))
      case 'other':
        return this.#add(otherDrafts(block, said))
      case 'tool_call':
        return this.#call(index, block)
      case 'tool_use':
        return this.#result(index)
    }
  }

  #say(role: 'user' | 'system', index: number, content: readonly JsonObject[]): void {
    if (content.length === 0) return this.#noteAt(index)('empty-block', 'there is nothing in it')
    this.#add([{ block: index, role: 'input', item: { role, content } }])
  }

  #call(index: number, block: ToolCallBlock): void {
    const callId = this.#callId(block.payload.id, index)
    const { item, before } = sentCall(block, callId, { index, store: this.#store, note: this.#noteAt(index) })
    const response = responseOf(block)
    const place = { block: index, ...(response !== undefined && { response }) }
    this.#settle(response, true)
    this.#drafts.push(...before, { ...place, role: 'output', item, isPartial: isCut(block) })
    this.#open.push({ index, item, response })
  }

  #result(index: number): void {
    const call = this.#callOf.get(index)
    if (call === undefined)
      return this.#noteAt(index)(
        'orphan-tool-result',
        'no call before it has this id, or the call was answered already',
      )
    const open = this.#open.find((entry) => entry.index === call)
    if (open === undefined) return this.#noteAt(index)('moved-tool-result', 'the result is sent right behind its call')
    this.#open = this.#open.filter((entry) => entry !== open)
    this.#answer(open)
  }

  #add(drafts: readonly Draft[]): void {
    const [first] = drafts
    if (first === undefined) return
    if (first.role === 'input') this.#answerCalls()
    else if (first.role !== 'answer') this.#settle(first.response, false)
    this.#drafts.push(...drafts)
  }

  /** Answers the calls of an earlier reply before something of `response` is said. Calls of one reply may stand side by side. */
  #settle(response: string | undefined, isCall: boolean): void {
    const isSameReply = this.#open.every((call) => call.response === response && (isCall || response !== undefined))
    if (!isSameReply) this.#answerCalls()
  }

  #answerCalls(): void {
    const calls = this.#open
    this.#open = []
    for (const call of calls) this.#answer(call)
  }

  #answer({ index, item }: OpenCall): void {
    const at = this.#answers.get(index)
    const result = at === undefined ? undefined : this.#blocks[at]
    const isResult = at !== undefined && result?.kind === 'tool_use'
    if (!isResult) this.#noteAt(index)('orphan-tool-call', 'the call has no result; it is answered with an error')
    const type = item['type'] === 'custom_tool_call' ? 'custom_tool_call_output' : 'function_call_output'
    const output = isResult ? outputContent(result.payload, this.#noteAt(at)) : missingResult
    const { caller } = item // a call that a program made is answered to the program
    const answer = { type, call_id: text(item, 'call_id') ?? '', output, ...(caller !== undefined && { caller }) }
    this.#drafts.push({ block: isResult ? at : index, role: 'answer', item: answer })
  }

  // Each id once, so that no result can be taken for another call's, and none too long.
  #callId(id: string, index: number): string {
    const base = id === '' ? 'call' : id.length > maxCallId ? `call_${sha256Hex(id).slice(0, 40)}` : id
    let sent = base
    for (let count = 2; this.#callIds.has(sent); count += 1) sent = `${base.slice(0, maxCallId - 8)}-${count}`
    this.#callIds.add(sent)
    if (sent !== id)
      this.#noteAt(index)('renamed-tool-call', `the id ${JSON.stringify(id)} is sent as ${JSON.stringify(sent)}`)
    return sent
  }
}
