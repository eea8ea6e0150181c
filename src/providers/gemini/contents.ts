import type { ProjectionRepair } from '../../events/event.ts'
import type { JsonObject } from '../../json.ts'
import type { Block, OtherBlock, ToolCallBlock } from '../../turns/block.ts'
import { answersByCall } from '../tool-answers.ts'
import { text } from '../wire.ts'
import { wellFormed } from '../well-formed.ts'
import type { Note, NoteAt, Part } from '../part.ts'
import type { Content } from './content.ts'
import { answerParts, callPart, itemParts, responsePart, textPart, thoughtParts, userParts } from './parts.ts'
import { settle } from './settle.ts'

export interface Projection {
  readonly system: readonly Part[]
  readonly contents: readonly Content[]
  readonly repairs: readonly ProjectionRepair[]
}

/**
 * The blocks of a turn as contents that the API accepts: the user begins and ends, the roles alternate, and the calls of
 * one content are all answered in the next. Any list of blocks gives such contents.
 */
export function toContents(blocks: readonly Block[], model: string): Projection {
  const repairs: ProjectionRepair[] = []
  const noteAt: NoteAt = (block) => (repair, detail) => repairs.push({ repair, block, detail })
  const leading = blocks.findIndex((block) => block.kind !== 'system')
  const from = leading === -1 ? blocks.length : leading
  const system = blocks.slice(0, from).flatMap((block, index) => {
    return block.kind === 'system' ? toParts(textPart(block.payload.text, noteAt(index)), index, noteAt(index)) : []
  })
  const conversation = new Conversation(blocks, noteAt)
  for (let index = from; index < blocks.length; index += 1) conversation.read(index)
  return { system, contents: settle(conversation.end(), model, noteAt), repairs }
}

/** A call whose answer is still to be written, as it was sent. */
interface OpenCall {
  readonly index: number
  readonly part: JsonObject
}

/** Takes the blocks one by one and writes them into contents. */
class Conversation {
  readonly #blocks: readonly Block[]
  readonly #noteAt: NoteAt
  readonly #answers: ReadonlyMap<number, number>
  readonly #callOf: ReadonlyMap<number, number>
  readonly #contents: { readonly role: Content['role']; readonly parts: Part[] }[] = []
  #open: OpenCall[] = []
  /** Calls that the results which come right now belong to. */
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
    switch (block.kind) {
      case 'user':
        return this.#say(index, userParts(block, note))
      case 'system':
        return this.#say(index, textPart(block.payload.text, note))
      case 'llm_text':
        return this.#answer(index, answerParts(block, note))
      case 'reasoning':
        return this.#answer(index, thoughtParts(block, note))
      case 'tool_call':
        return this.#call(index, block)
      case 'tool_use':
        return this.#result(index)
      case 'other':
        return this.#other(index, block)
    }
  }

  end(): readonly Content[] {
    this.#answerCalls()
    return this.#contents
  }

  #call(index: number, block: ToolCallBlock): void {
    const part = callPart(block, this.#noteAt(index))
    this.#answer(index, [part])
    this.#open.push({ index, part })
  }

  #result(index: number): void {
    const call = this.#callOf.get(index)
    const note = this.#noteAt(index)
    if (call === undefined)
      return note('orphan-tool-result', 'no call before it has this id, or the call was answered already')
    if (this.#open.some((open) => open.index === call)) {
      this.#answering = new Set(this.#open.map((open) => open.index))
      return this.#answerCalls()
    }
    if (!this.#answering.has(call)) note('moved-tool-result', 'the result is sent right behind its call')
  }

  #other(index: number, block: OtherBlock): void {
    const note = this.#noteAt(index)
    if (block.rawKind === 'provider_item') return this.#answer(index, itemParts(block, note))
    const said = text(block.payload, 'text') ?? ''
    if (said.trim() === '')
      return note('unknown-block', `blocks of kind ${JSON.stringify(block.rawKind ?? 'other')} are not sent`)
    if (block.role === 'user' || block.role === 'system') return this.#say(index, [{ text: said }])
    this.#answer(index, [{ text: said }])
  }

  #answerCalls(): void {
    const calls = this.#open
    this.#open = []
    for (const { index, part } of calls) {
      const at = this.#answers.get(index)
      const result = at === undefined ? undefined : this.#blocks[at]
      const isAnswered = at !== undefined && result?.kind === 'tool_use'
      if (!isAnswered) this.#noteAt(index)('orphan-tool-call', 'it has no result; an error answers it')
      const block = isAnswered ? at : index
      this.#push(
        'user',
        toParts([responsePart(part, isAnswered ? result.payload : undefined)], block, this.#noteAt(block)),
      )
    }
  }

  #answer(index: number, contents: readonly JsonObject[]): void {
    this.#push('model', toParts(contents, index, this.#noteAt(index)))
  }

  // "Requests ending with a model turn are not supported" is what newer models say of a content with words behind its
  // function responses; words before them are accepted.
  #say(index: number, contents: readonly JsonObject[]): void {
    if (contents.length === 0) return
    this.#answerCalls()
    const parts = toParts(contents, index, this.#noteAt(index))
    const last = this.#contents.at(-1)
    const responses = last?.parts.findIndex(({ content }) => 'functionResponse' in content) ?? -1
    if (responses === -1) this.#push('user', parts)
    else last?.parts.splice(responses, 0, ...parts)
  }

  #push(role: Content['role'], parts: readonly Part[]): void {
    if (parts.length === 0) return
    const last = this.#contents.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else this.#contents.push({ role, parts: [...parts] })
  }
}

function toParts(contents: readonly JsonObject[], block: number, note: Note): readonly Part[] {
  return contents.map((content) => {
    const sendable = wellFormed(content)
    if (sendable !== content) note('lone-surrogate', 'text with half of a surrogate pair')
    return { block, content: sendable }
  })
}
