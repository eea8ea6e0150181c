import type { ProjectionRepair } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import type { Block, ToolCallBlock } from '../../turns/block.ts'
import { blockResultKey } from '../../turns/keys.ts'
import { answersByCall, missingResult } from '../tool-answers.ts'
import { wellFormed } from '../well-formed.ts'
import {
  assistantContent,
  callContent,
  itemContent,
  originalContent,
  read,
  resultContent,
  textContent,
  thinkingContent,
  userContent,
} from './content.ts'
import type { Note, NoteAt, Part } from '../part.ts'
import type { Message } from './message.ts'
import { settle } from './settle.ts'

// The blocks of a turn as messages that the API accepts: user first and in turns with the assistant, every call answered
// in the message right behind it, results before anything else.
// platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls

export interface Projection {
  readonly system: readonly Part[]
  readonly messages: readonly Message[]
  readonly repairs: readonly ProjectionRepair[]
}

interface OpenCall {
  readonly index: number
  readonly id: string
  readonly toolset: JsonObject
}

/** The messages of `blocks`. Any list of blocks gives valid messages; `repairs` says what was changed for it. */
export function toMessages(blocks: readonly Block[]): Projection {
  const repairs: ProjectionRepair[] = []
  const noteAt =
    (block: number): Note =>
    (repair, detail) =>
      repairs.push({ repair, block, detail })
  const leading = blocks.findIndex((block) => block.kind !== 'system')
  const from = leading === -1 ? blocks.length : leading
  const system = blocks.slice(0, from).flatMap((block, index) => {
    return block.kind === 'system' ? parts(textContent(block.payload.text, noteAt(index)), index, noteAt(index)) : []
  })
  const conversation = new Conversation(blocks, noteAt)
  for (let index = from; index < blocks.length; index += 1) conversation.read(index)
  const isPaused = pausedAt(blocks)
  return { system, messages: settle(conversation.end(), isPaused, noteAt), repairs }
}

// Only the provider's own word counts: a reply that was cut in the middle of a server tool is not one that goes on.
function pausedAt(blocks: readonly Block[]): boolean {
  const last = blocks.at(-1)
  const reason = last === undefined ? undefined : read(blockResultKey, last)?.stop_reason
  return reason === 'pause_turn' || reason === 'compaction'
}

/** Takes the blocks one by one and writes them into messages. */
class Conversation {
  readonly #blocks: readonly Block[]
  readonly #noteAt: NoteAt
  readonly #answers: ReadonlyMap<number, number>
  readonly #callOf: ReadonlyMap<number, number>
  readonly #ids = new Set<string>()
  #messages: { readonly role: Message['role']; readonly parts: Part[] }[] = []
  /** Calls of the message that is being written, which the next message must answer. */
  #open: OpenCall[] = []
  /** Calls that were answered by the results which come right now. */
  #answering: ReadonlySet<number> = new Set()

  constructor(blocks: readonly Block[], noteAt: NoteAt) {
    this.#blocks = blocks
    this.#noteAt = noteAt
    this.#answers = answersByCall(blocks)
    this.#callOf = new Map([...this.#answers].map(([call, result]) => [result, call]))
  }

  read(index: number): void {
    const block = this.#blocks[index]
    if (block === undefined) return
    const note = this.#noteAt(index)
    if (block.kind !== 'tool_use') this.#answering = new Set()
    const original = originalContent(block)
    switch (block.kind) {
      case 'user':
        return this.#add('user', index, original ?? userContent(block, note))
      case 'system':
        return this.#add('user', index, textContent(block.payload.text, note))
      case 'llm_text':
        return this.#add('assistant', index, original ?? assistantContent(block, note))
      case 'reasoning':
        return this.#add('assistant', index, original ?? thinkingContent(block, note))
      case 'other':
        return this.#add('assistant', index, itemContent(block, note))
      case 'tool_call':
        return this.#call(index, block)
      case 'tool_use':
        return this.#result(index)
    }
  }

  end(): readonly Message[] {
    this.#answerCalls()
    return this.#messages
  }

  #call(index: number, block: ToolCallBlock): void {
    const id = this.#sentId(block.payload.id, index)
    const content = callContent(block, id, this.#noteAt(index))
    const toolset = content['toolset_name']
    this.#add('assistant', index, [content])
    this.#open.push({ index, id, toolset: toolset === undefined ? {} : { toolset_name: toolset } })
  }

  #result(index: number): void {
    const note = this.#noteAt(index)
    const call = this.#callOf.get(index)
    if (call === undefined) return note('orphan-tool-result', 'there is no call of this id before it to be answered')
    if (this.#open.some((open) => open.index === call)) {
      this.#answering = new Set(this.#open.map((open) => open.index))
      return this.#answerCalls()
    }
    if (!this.#answering.has(call)) note('moved-tool-result', 'the result is sent right behind its call')
  }

  /** Answers the calls of the last message, all in one message and before anything else in it. */
  #answerCalls(): void {
    const calls = this.#open
    if (calls.length === 0) return
    this.#open = []
    this.#messages.push({ role: 'user', parts: calls.flatMap((call) => this.#answer(call)) })
  }

  #answer({ index, id, toolset }: OpenCall): readonly Part[] {
    const at = this.#answers.get(index)
    const result = at === undefined ? undefined : this.#blocks[at]
    if (at !== undefined && result?.kind === 'tool_use') {
      return parts([{ ...resultContent(result, id), ...toolset }], at, this.#noteAt(at))
    }
    this.#noteAt(index)('orphan-tool-call', `the call ${JSON.stringify(id)} has no result; an error answers it`)
    const content = { type: 'tool_result', tool_use_id: id, content: missingResult, is_error: true, ...toolset }
    return [{ block: index, content }]
  }

  #add(role: Message['role'], index: number, contents: readonly JsonObject[]): void {
    const added = parts(contents, index, this.#noteAt(index))
    if (added.length === 0) return
    if (role === 'user') this.#answerCalls()
    const last = this.#messages.at(-1)
    if (last?.role === role) last.parts.push(...added)
    else this.#messages.push({ role, parts: [...added] })
  }

  // The API takes letters, digits, `_` and `-`, and each id once in a conversation.
  #sentId(id: string, index: number): string {
    const base = id.replaceAll(/[^A-Za-z0-9_-]/g, '_') || 'call'
    let sent = base
    for (let count = 2; this.#ids.has(sent); count += 1) sent = `${base}-${count}`
    this.#ids.add(sent)
    const note = this.#noteAt(index)
    if (sent !== id) note('renamed-tool-call', `the id ${JSON.stringify(id)} is sent as ${JSON.stringify(sent)}`)
    return sent
  }
}

/** Half of a surrogate pair cannot be sent; sealed thinking cannot be changed either, so it is left out. */
function parts(contents: readonly JsonObject[], block: number, note: Note): readonly Part[] {
  return contents.flatMap((content) => {
    const sendable = wellFormed(content)
    if (sendable === content) return [{ block, content }]
    note('lone-surrogate', 'text with half of a surrogate pair')
    const isSealed = content['type'] === 'thinking' || content['type'] === 'redacted_thinking'
    return isSealed ? [] : [{ block, content: sendable }]
  })
}
