import type { JsonObject } from '../../json.ts'
import type { Block } from '../../turns/block.ts'
import { blockResultKey } from '../../turns/keys.ts'
import { object, text } from '../wire.ts'
import { textPart, type SentReasoning } from './content.ts'
import type { Vendor } from './vendors.ts'

export interface SentCall {
  /** Index of the block. */
  readonly index: number
  readonly id: string
  readonly item: JsonObject
}

/** What stands for reasoning that is required and was not given; an empty text counts as none. github.com/earendil-works/pi/pull/4178 */
const noReasoning = ' '

/** One assistant message while its blocks are read. */
export class AssistantDraft {
  readonly #vendor: Vendor
  #parts: readonly JsonObject[] = []
  #reply: string | undefined
  #fields: Readonly<Record<string, string>> = {}
  #details: readonly JsonObject[] = []
  readonly #calls: SentCall[] = []

  constructor(vendor: Vendor) {
    this.#vendor = vendor
  }

  get calls(): readonly SentCall[] {
    return this.#calls
  }

  /** Text of one reply goes on where it was; that of the next is a paragraph of its own. */
  say(parts: readonly JsonObject[], block: Block): void {
    const reply = text(object(block.metadata ?? {}, blockResultKey.id) ?? {}, 'response_id')
    const hasText = this.#parts.some((part) => part['type'] === 'text')
    const isNext = hasText && (reply === undefined || reply !== this.#reply)
    this.#parts = [...this.#parts, ...(isNext ? [textPart('\n\n')] : []), ...parts]
    this.#reply = reply
  }

  reason({ fields, details, parts }: SentReasoning): void {
    const added = Object.entries(fields).map(([name, value]) => [name, (this.#fields[name] ?? '') + value])
    this.#fields = { ...this.#fields, ...Object.fromEntries(added) }
    this.#details = [...this.#details, ...details]
    this.#parts = [...this.#parts, ...parts]
  }

  call(index: number, id: string, item: JsonObject): void {
    this.#calls.push({ index, id, item })
  }

  /**
   * The message; undefined when there is nothing in it. Beside calls an empty content is null, which the API names and
   * all take: some refuse "", and some a message without the field. github.com/vercel/ai/pull/14888, github.com/abetlen/llama-cpp-python/issues/1805
   */
  message(): JsonObject | undefined {
    const hasText = this.#parts.some((part) => part['type'] === 'text')
    if (!hasText && this.#calls.length === 0) return undefined
    const isPlain = this.#parts.every((part) => part['type'] === 'text')
    const words = this.#parts.map((part) => text(part, 'text') ?? '').join('')
    return {
      role: 'assistant',
      content: this.#parts.length === 0 ? null : isPlain ? words : this.#parts,
      ...(this.#calls.length > 0 && this.#reasoningFields()),
      ...(this.#details.length > 0 && { reasoning_details: this.#details }),
      ...(this.#calls.length > 0 && { tool_calls: this.#calls.map(({ item }) => item) }),
    }
  }

  #reasoningFields(): JsonObject {
    if (this.#vendor.reasoning !== 'required') return this.#fields
    const said = this.#fields['reasoning_content'] ?? ''
    return { reasoning_content: said === '' ? noReasoning : said }
  }
}
