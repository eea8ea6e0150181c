import type { ProjectionRepair } from '../../events/event.ts'
import type { Json, JsonObject } from '../../json.ts'
import type { Block, OtherBlock, ToolCallBlock } from '../../turns/block.ts'
import { answersByCall, missingResult } from '../tool-answers.ts'
import { text } from '../wire.ts'
import { wellFormed } from '../well-formed.ts'
import { AssistantDraft } from './assistant-draft.ts'
import { CallIds } from './call-ids.ts'
import {
  assistantParts,
  callItem,
  resultContent,
  sentReasoning,
  textPart,
  userContent,
  visibleText,
  type Note,
} from './content.ts'
import type { Vendor } from './vendors.ts'

export interface Projection {
  readonly messages: readonly JsonObject[]
  readonly repairs: readonly ProjectionRepair[]
}

/**
 * The blocks of a turn as messages: what the model said and called at once is one message, its calls are all answered
 * right behind it, and no message is empty. Any list of blocks gives messages that the vendor accepts.
 */
export function toMessages(blocks: readonly Block[], vendor: Vendor): Projection {
  return new Conversation(blocks, vendor).write()
}

/** Takes the blocks one by one and writes them into messages. */
class Conversation {
  readonly #blocks: readonly Block[]
  readonly #vendor: Vendor
  readonly #answers: ReadonlyMap<number, number>
  readonly #callOf: ReadonlyMap<number, number>
  readonly #ids: CallIds
  readonly #repairs: ProjectionRepair[] = []
  readonly #messages: JsonObject[] = []
  #draft: AssistantDraft
  /** Calls that the results which come right now belong to. */
  #answering: ReadonlySet<number> = new Set()

  constructor(blocks: readonly Block[], vendor: Vendor) {
    this.#blocks = blocks
    this.#vendor = vendor
    this.#answers = answersByCall(blocks)
    this.#callOf = new Map([...this.#answers].map(([call, result]) => [result, call]))
    this.#ids = new CallIds(vendor)
    this.#draft = new AssistantDraft(vendor)
  }

  write(): Projection {
    for (const [index, block] of this.#blocks.entries()) this.#read(index, block)
    this.#endAssistant()
    this.#endWithUser()
    if (this.#vendor.alternates === true) this.#beginWithUser()
    return { messages: this.#messages, repairs: this.#repairs }
  }

  #read(index: number, block: Block): void {
    const note = this.#noteAt(index)
    if (block.kind !== 'tool_use') this.#answering = new Set()
    switch (block.kind) {
      case 'system':
        return this.#say('system', index, visibleText(block.payload.text, note))
      case 'user':
        return this.#say('user', index, userContent(block, note))
      case 'llm_text': {
        const parts = assistantParts(block, this.#vendor, note)
        if (parts.length > 0) this.#beforeCalls().say(this.#sendable(parts, index), block)
        return
      }
      case 'reasoning': {
        const sent = sentReasoning(block, this.#vendor, note)
        if (sent !== undefined) this.#beforeCalls().reason(this.#sendable({ ...sent }, index))
        return
      }
      case 'tool_call':
        return this.#call(index, block)
      case 'tool_use':
        return this.#result(index)
      case 'other':
        return this.#other(index, block)
    }
  }

  #say(role: 'system' | 'user', index: number, content: Json | undefined): void {
    if (content === undefined) return
    this.#endAssistant()
    this.#push({ role, content: this.#sendable(content, index) }, index)
  }

  #call(index: number, block: ToolCallBlock): void {
    const id = this.#ids.next(block.payload.id.toWellFormed())
    const note = this.#noteAt(index)
    if (id !== block.payload.id)
      note('renamed-tool-call', `the id ${JSON.stringify(block.payload.id)} is sent as ${JSON.stringify(id)}`)
    this.#draft.call(index, id, this.#sendable(callItem(block, id, this.#vendor, note), index))
  }

  #result(index: number): void {
    const call = this.#callOf.get(index)
    const note = this.#noteAt(index)
    if (call === undefined)
      return note('orphan-tool-result', 'no call before it has this id, or the call was answered already')
    if (this.#draft.calls.some((open) => open.index === call)) {
      this.#answering = new Set(this.#draft.calls.map((open) => open.index))
      return this.#endAssistant()
    }
    if (!this.#answering.has(call)) note('moved-tool-result', 'the result is sent right behind its call')
  }

  #other(index: number, block: OtherBlock): void {
    const note = this.#noteAt(index)
    if (block.rawKind === 'provider_item') {
      const provider = text(block.payload, 'provider') ?? 'an unknown provider'
      return note(
        provider === 'openai' ? 'unsendable-item' : 'foreign-item',
        `an item of ${provider} has no place in a message`,
      )
    }
    const said = text(block.payload, 'text') ?? ''
    if (said.trim() === '')
      return note('unknown-block', `blocks of kind ${JSON.stringify(block.rawKind ?? 'other')} are not sent`)
    if (block.role === 'user' || block.role === 'system') return this.#say(block.role, index, said)
    this.#beforeCalls().say(this.#sendable([textPart(said)], index), block)
  }

  /** The message that the model is writing; a new one where it has already called tools, for then it waited for them. */
  #beforeCalls(): AssistantDraft {
    if (this.#draft.calls.length > 0) this.#endAssistant()
    return this.#draft
  }

  #endAssistant(): void {
    const draft = this.#draft
    this.#draft = new AssistantDraft(this.#vendor)
    const message = draft.message()
    if (message === undefined) return
    this.#messages.push(message)
    for (const { index, id } of draft.calls) {
      this.#messages.push({ role: 'tool', tool_call_id: id, content: this.#answer(index, id) })
    }
  }

  #answer(call: number, id: string): string {
    const at = this.#answers.get(call)
    const result = at === undefined ? undefined : this.#blocks[at]
    if (at !== undefined && result?.kind === 'tool_use') return this.#sendable(resultContent(result), at)
    this.#noteAt(call)('orphan-tool-call', `the call ${JSON.stringify(id)} has no result; an error answers it`)
    return missingResult
  }

  #push(message: { readonly role: 'system' | 'user'; readonly content: Json }, index: number): void {
    const last = this.#messages.at(-1)
    if (this.#vendor.answersTools === true && last?.['role'] === 'tool') {
      this.#noteAt(index)('missing-assistant-message', 'the model must speak after a tool, before anybody else does')
      this.#messages.push({ role: 'assistant', content: '(no answer)' })
    }
    const joins = this.#vendor.alternates === true && last?.['role'] === message.role
    if (joins)
      this.#messages.splice(-1, 1, { role: message.role, content: joined(last['content'] ?? '', message.content) })
    else this.#messages.push(message)
  }

  // Chat templates that want the roles to alternate want the user to begin.
  #beginWithUser(): void {
    const first = this.#messages.findIndex((message) => message['role'] !== 'system')
    if (this.#messages[first]?.['role'] === 'user') return
    this.#noteAt(0)('missing-user-message', 'a conversation begins with the user')
    this.#messages.splice(first, 0, { role: 'user', content: goOn })
  }

  // "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant" (Mistral); others
  // answer with nothing, or go on in the middle of what was said.
  #endWithUser(): void {
    const last = this.#messages.findLast((message) => message['role'] !== 'system')
    if (last?.['role'] === 'user' || last?.['role'] === 'tool') return
    const at = Math.max(this.#blocks.length - 1, 0)
    const why = last === undefined ? 'there is nothing that a user said' : 'a conversation ends with the user'
    this.#noteAt(at)('missing-user-message', `${why}; a user message is put in`)
    this.#messages.push({ role: 'user', content: goOn })
  }

  #sendable<T extends Json>(value: T, index: number): T {
    const sendable = wellFormed(value)
    if (sendable !== value) this.#noteAt(index)('lone-surrogate', 'text with half of a surrogate pair')
    return sendable
  }

  #noteAt(block: number): Note {
    return (repair, detail) => this.#repairs.push({ repair, block, detail })
  }
}

/** Stands in where a user message is needed and the turn has none. */
const goOn = 'Continue.'

function joined(one: Json, other: Json): Json {
  if (typeof one === 'string' && typeof other === 'string') return `${one}\n\n${other}`
  return [...parts(one), ...parts(other)]
}

function parts(content: Json): readonly Json[] {
  return typeof content === 'string' ? [textPart(content)] : Array.isArray(content) ? (content as readonly Json[]) : [] // what is in a JSON value is one
}
