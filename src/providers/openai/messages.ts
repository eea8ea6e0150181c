import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { ProjectionRepair } from '../../events/event.ts'
import { isJsonObject, type JsonObject } from '../../json.ts'
import {
  toolArguments,
  type Block,
  type ImagePart,
  type ReasoningBlock,
  type ToolCallBlock,
} from '../../turns/block.ts'
import { imageSource } from '../../turns/image.ts'
import { partialKey, sidecarKey } from '../../turns/keys.ts'
import { answersByCall, missingResult, resultText } from '../tool-answers.ts'

export interface Messages {
  readonly messages: readonly JsonObject[]
  readonly repairs: readonly ProjectionRepair[]
}

/** The blocks as chat messages: every call answered right behind the message that made it, no message empty. */
export function toMessages(blocks: readonly Block[], model: string): Messages {
  return new MessageWriter(blocks, model).write()
}

interface AssistantDraft {
  readonly texts: string[]
  readonly calls: { readonly block: ToolCallBlock; readonly index: number }[]
  reasoning: JsonObject
}

class MessageWriter {
  readonly #blocks: readonly Block[]
  readonly #model: string
  readonly #answers: ReadonlyMap<number, number>
  readonly #lastPrompt: number
  readonly #messages: JsonObject[] = []
  readonly #repairs: ProjectionRepair[] = []
  #assistant: AssistantDraft | undefined

  constructor(blocks: readonly Block[], model: string) {
    this.#blocks = blocks
    this.#model = model
    this.#answers = answersByCall(blocks)
    this.#lastPrompt = blocks.findLastIndex((block) => block.kind === 'user')
  }

  write(): Messages {
    for (const [index, block] of this.#blocks.entries()) this.#block(block, index)
    this.#closeAssistant()
    if (this.#messages.length === 0) {
      this.#repair('empty-turn', 0, 'the turn has nothing to send, and a request needs a message')
      this.#messages.push({ role: 'user', content: '(empty)' })
    }
    return { messages: this.#messages, repairs: this.#repairs }
  }

  #block(block: Block, index: number): void {
    switch (block.kind) {
      case 'system':
        return this.#plain('system', block.payload.text, index)
      case 'user':
        return this.#user(block.payload.text, block.payload.images ?? [], index)
      case 'llm_text':
        if (block.payload.text.trim() === '') return this.#repair('empty-block', index, 'a text without words')
        this.#draft().texts.push(block.payload.text)
        return
      case 'reasoning':
        return this.#reasoning(block, index)
      case 'tool_call':
        this.#draft().calls.push({ block, index })
        return
      case 'tool_use':
        return this.#result(index)
      case 'other':
        return this.#repair(
          'foreign-item',
          index,
          `a block of kind ${block.rawKind ?? 'other'} has no place in a chat message`,
        )
    }
  }

  #plain(role: string, text: string, index: number): void {
    if (text.trim() === '') return this.#repair('empty-block', index, 'a text without words')
    this.#closeAssistant()
    this.#messages.push({ role, content: text })
  }

  #user(text: string, images: readonly ImagePart[], index: number): void {
    const parts = images.flatMap((image) => this.#image(image, index))
    if (parts.length === 0) return this.#plain('user', text, index)
    this.#closeAssistant()
    const words = text.trim() === '' ? [] : [{ type: 'text', text }]
    this.#messages.push({ role: 'user', content: [...words, ...parts] })
  }

  #image(image: ImagePart, index: number): JsonObject[] {
    const detail = image.detail === undefined ? {} : { detail: image.detail }
    try {
      const source = imageSource(image)
      if (source.from === 'url') return [{ type: 'image_url', image_url: { url: source.url, ...detail } }]
      if (source.from === 'bytes') {
        return [
          { type: 'image_url', image_url: { url: `data:${source.mediaType};base64,${source.base64}`, ...detail } },
        ]
      }
      this.#repair(
        'unsupported-image',
        index,
        'chat messages take an image as a link or as bytes, not as a file of a provider',
      )
    } catch {
      this.#repair('unsupported-image', index, 'the image names no source')
    }
    return []
  }

  // DeepSeek and Moonshot want the reasoning of the running tool loop back, and none of what came before the prompt.
  // api-docs.deepseek.com/guides/thinking_mode; platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model
  #reasoning(block: ReasoningBlock, index: number): void {
    const item = this.#ownSidecar(block)
    if (item === undefined) {
      return this.#repair('foreign-reasoning', index, 'only the provider that reasoned can use it')
    }
    if (index > this.#lastPrompt) this.#draft().reasoning = { ...this.#draft().reasoning, ...item }
  }

  #ownSidecar(block: ReasoningBlock): JsonObject | undefined {
    const stored = block.metadata?.[sidecarKey.id]
    if (!isJsonObject(stored) || stored['provider'] !== 'openai' || block.metadata?.[partialKey.id] === true)
      return undefined
    const item = stored['item']
    if (!isJsonObject(item)) return undefined
    const text = item['reasoning_content'] ?? item['reasoning']
    return text === block.payload.text ? item : undefined
  }

  // A result was written behind its call; one that is still to be met has no call, or stood elsewhere.
  #result(index: number): void {
    const call = [...this.#answers].find(([, answer]) => answer === index)?.[0]
    if (call === undefined) return this.#repair('orphan-tool-result', index, 'it answers no call of this turn')
    const between = this.#blocks.slice(call + 1, index)
    if (between.some((block) => block.kind !== 'tool_call' && block.kind !== 'tool_use')) {
      this.#repair('moved-tool-result', index, 'a result stands directly behind its call')
    }
    this.#closeAssistant()
  }

  #draft(): AssistantDraft {
    this.#assistant ??= { texts: [], calls: [], reasoning: {} }
    return this.#assistant
  }

  #closeAssistant(): void {
    const draft = this.#assistant
    this.#assistant = undefined
    if (draft === undefined || (draft.texts.length === 0 && draft.calls.length === 0)) return
    const ids = this.#uniqueIds(draft.calls.map(({ block }) => block.payload.id))
    const calls = draft.calls.map(({ block, index }, place) => this.#call(block, index, ids[place] ?? ''))
    this.#messages.push({
      role: 'assistant',
      content: draft.texts.length === 0 ? null : draft.texts.join('\n\n'),
      ...(calls.length > 0 && draft.reasoning),
      ...(calls.length > 0 && { tool_calls: calls }),
    })
    for (const [place, { index }] of draft.calls.entries()) {
      this.#messages.push({ role: 'tool', tool_call_id: ids[place] ?? '', content: this.#answer(index) })
    }
  }

  #call(block: ToolCallBlock, index: number, id: string): JsonObject {
    const { name, args } = block.payload
    const object = toolArguments(block)
    if (object === undefined) this.#repair('invalid-arguments', index, 'the arguments are no JSON object; {} is sent')
    if (id !== block.payload.id) this.#repair('tool-call-id', index, `the id is sent as ${id}`)
    const sentName = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed'
    if (sentName !== name) this.#repair('tool-name', index, `the name is sent as ${sentName}`)
    const text =
      object === undefined ? '{}' : typeof args === 'string' && args.trim() !== '' ? args : JSON.stringify(object)
    return { id, type: 'function', function: { name: sentName, arguments: text } }
  }

  #answer(call: number): string {
    const answer = this.#answers.get(call)
    const block = answer === undefined ? undefined : this.#blocks[answer]
    if (block?.kind === 'tool_use') return resultText(block.payload)
    this.#repair('orphan-tool-call', call, 'it has no result; one that says so is sent')
    return missingResult
  }

  #uniqueIds(ids: readonly string[]): readonly string[] {
    const taken = new Set<string>()
    return ids.map((id, place) => {
      const wanted = acceptedId(id === '' ? `call_${place}` : id, this.#model)
      let unused = wanted
      for (let count = 2; taken.has(unused); count += 1) unused = acceptedId(`${wanted}-${count}`, this.#model)
      taken.add(unused)
      return unused
    })
  }

  #repair(repair: string, block: number, detail: string): void {
    this.#repairs.push({ repair, block, detail })
  }
}

// Mistral takes ids of nine letters and digits only. docs.mistral.ai/capabilities/function_calling
const mistralModel = /(?:^|\/)(?:mistral|mixtral|magistral|ministral|codestral|devstral|pixtral)/

function acceptedId(id: string, model: string): string {
  if (!mistralModel.test(model) || /^[A-Za-z0-9]{9}$/.test(id)) return id
  return bytesToHex(sha256(utf8ToBytes(id))).slice(0, 9)
}
