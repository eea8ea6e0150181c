import type { ProjectionRepair } from '../../events/event.ts'
import { isJsonObject, jsonEqual, type JsonObject } from '../../json.ts'
import {
  toolArguments,
  type Block,
  type ImagePart,
  type ReasoningBlock,
  type TextBlock,
  type ToolCallBlock,
} from '../../turns/block.ts'
import { imageSource } from '../../turns/image.ts'
import { partialKey, sidecarKey, thoughtSignatureKey } from '../../turns/keys.ts'
import { answersByCall, missingResult } from '../tool-answers.ts'
import { list, object, text } from '../wire.ts'

export interface Contents {
  readonly system: readonly JsonObject[]
  readonly contents: readonly JsonObject[]
  readonly repairs: readonly ProjectionRepair[]
}

/** The blocks as alternating contents, every call answered in the content behind it. */
export function toContents(blocks: readonly Block[], model: string): Contents {
  return new ContentWriter(blocks, model).write()
}

class ContentWriter {
  readonly #blocks: readonly Block[]
  readonly #needsSignatures: boolean
  readonly #answers: ReadonlyMap<number, number>
  readonly #answered: ReadonlyMap<number, number>
  readonly #lastPrompt: number
  readonly #system: JsonObject[] = []
  readonly #contents: { readonly role: 'user' | 'model'; readonly parts: JsonObject[] }[] = []
  readonly #repairs: ProjectionRepair[] = []
  /** Calls of the open model content whose results are still to be written. */
  #calls: { readonly block: ToolCallBlock; readonly index: number }[] = []

  constructor(blocks: readonly Block[], model: string) {
    this.#blocks = blocks
    this.#needsSignatures = /gemini-[3-9]/.test(model)
    this.#answers = answersByCall(blocks)
    this.#answered = new Map([...this.#answers].map(([call, answer]) => [answer, call]))
    this.#lastPrompt = blocks.findLastIndex((block) => block.kind === 'user')
  }

  write(): Contents {
    for (const [index, block] of this.#blocks.entries()) this.#block(block, index)
    this.#answerCalls()
    if (this.#contents[0]?.role !== 'user') {
      this.#repair('missing-prompt', 0, 'a conversation begins with the user')
      this.#contents.unshift({ role: 'user', parts: [{ text: '(continue)' }] })
    }
    const contents = this.#contents.map(({ role, parts }): JsonObject => ({ role, parts }))
    return { system: this.#system, contents, repairs: this.#repairs }
  }

  #block(block: Block, index: number): void {
    switch (block.kind) {
      case 'system':
        if (block.payload.text.trim() === '') return this.#repair('empty-block', index, 'a text without words')
        if (this.#contents.length === 0) this.#system.push({ text: block.payload.text })
        else this.#user([{ text: block.payload.text }])
        return
      case 'user':
        return this.#prompt(block.payload.text, block.payload.images ?? [], index)
      case 'llm_text':
        return this.#text(block, index)
      case 'reasoning':
        return this.#reasoning(block, index)
      case 'tool_call':
        return this.#call(block, index)
      case 'tool_use':
        return this.#result(index)
      case 'other':
        return this.#other(block.payload, block.rawKind, index)
    }
  }

  #prompt(words: string, images: readonly ImagePart[], index: number): void {
    const parts = [
      ...(words.trim() === '' ? [] : [{ text: words }]),
      ...images.flatMap((image) => this.#image(image, index)),
    ]
    if (parts.length === 0) return this.#repair('empty-block', index, 'a prompt without words')
    this.#user(parts)
  }

  #image(image: ImagePart, index: number): JsonObject[] {
    try {
      const source = imageSource(image)
      if (source.from === 'bytes') return [{ inlineData: { mimeType: source.mediaType, data: source.base64 } }]
      const mimeType = image.media_type === undefined ? {} : { mimeType: image.media_type }
      if (source.from === 'uri') return [{ fileData: { ...mimeType, fileUri: source.uri } }]
      // Public links are fetched by the API. ai.google.dev/gemini-api/docs/file-input-methods
      if (source.from === 'url') return [{ fileData: { ...mimeType, fileUri: source.url } }]
      this.#repair('unsupported-image', index, 'Gemini takes a file by its URI, not by an id')
    } catch {
      this.#repair('unsupported-image', index, 'the image names no source')
    }
    return []
  }

  #text(block: TextBlock, index: number): void {
    const parts = this.#ownParts(block)
    const said = parts?.map((part) => text(part, 'text') ?? '').join('')
    if (parts !== undefined && said === block.payload.text) return this.#model(parts)
    if (parts !== undefined) this.#repair('edited-block', index, 'its text was changed, so its signature is left out')
    if (block.payload.text.trim() === '') return this.#repair('empty-block', index, 'a text without words')
    this.#model([{ text: block.payload.text }])
  }

  // Thoughts are for people; only what is signed is wanted back.
  #reasoning(block: ReasoningBlock, index: number): void {
    const parts = this.#ownParts(block)
    const said = parts?.map((part) => text(part, 'text') ?? '').join('')
    if (parts !== undefined && said === block.payload.text && block.metadata?.[partialKey.id] !== true)
      return this.#model(parts)
    if (block.metadata?.[sidecarKey.id] !== undefined)
      this.#repair('foreign-reasoning', index, 'only the provider that reasoned can use it')
  }

  #call(block: ToolCallBlock, index: number): void {
    const args = toolArguments(block)
    if (args === undefined) this.#repair('invalid-arguments', index, 'the arguments are no JSON object; {} is sent')
    const name = acceptedName(block.payload.name)
    if (name !== block.payload.name) this.#repair('tool-name', index, `the name is sent as ${name}`)
    this.#model([this.#ownCallPart(block, args ?? {}, index) ?? { functionCall: { name, args: args ?? {} } }])
    this.#calls.push({ block, index })
  }

  #ownCallPart(block: ToolCallBlock, args: JsonObject, index: number): JsonObject | undefined {
    const [part] = this.#ownParts(block) ?? []
    const call = object(part ?? {}, 'functionCall')
    if (part === undefined || call === undefined) {
      const signature = block.metadata?.[thoughtSignatureKey.id]
      return typeof signature === 'string'
        ? { functionCall: { name: acceptedName(block.payload.name), args }, thoughtSignature: signature }
        : undefined
    }
    if (text(call, 'name') === block.payload.name && jsonEqual(object(call, 'args') ?? {}, args)) return part
    this.#repair('edited-block', index, 'the call was changed, so its signature is left out')
    return undefined
  }

  #ownParts(block: Block): readonly JsonObject[] | undefined {
    const stored = block.metadata?.[sidecarKey.id]
    if (!isJsonObject(stored) || stored['provider'] !== 'gemini') return undefined
    return list(object(stored, 'item') ?? {}, 'parts').filter(isJsonObject)
  }

  // A result was written behind its call; one that is still to be met has no call, or stood elsewhere.
  #result(index: number): void {
    const call = this.#answered.get(index)
    if (call === undefined) return this.#repair('orphan-tool-result', index, 'it answers no call of this turn')
    const between = this.#blocks.slice(call + 1, index)
    if (between.some((block) => block.kind !== 'tool_call' && block.kind !== 'tool_use')) {
      this.#repair('moved-tool-result', index, 'a result stands directly behind its call')
    }
    this.#answerCalls()
  }

  #other(payload: JsonObject, rawKind: string | undefined, index: number): void {
    const item = object(payload, 'item')
    if (rawKind === 'provider_item' && payload['provider'] === 'gemini' && item !== undefined)
      return this.#model([item])
    this.#repair('foreign-item', index, `a block of kind ${rawKind ?? 'other'} is of another provider`)
  }

  #model(parts: readonly JsonObject[]): void {
    if (this.#calls.length > 0 && !parts.some((part) => 'functionCall' in part)) this.#answerCalls()
    this.#add('model', parts)
  }

  #user(parts: readonly JsonObject[]): void {
    this.#answerCalls()
    this.#add('user', parts)
  }

  #add(role: 'user' | 'model', parts: readonly JsonObject[]): void {
    const last = this.#contents.at(-1)
    if (last?.role === role) last.parts.push(...parts)
    else this.#contents.push({ role, parts: [...parts] })
  }

  #answerCalls(): void {
    const calls = this.#calls
    this.#calls = []
    if (calls.length === 0) return
    this.#signFirstCall(calls[0]?.index ?? 0)
    this.#add(
      'user',
      calls.map(({ block, index }) => this.#response(block, index)),
    )
  }

  // Gemini 3 refuses a function call of the running prompt that nobody signed; this word says that none can be had.
  // ai.google.dev/gemini-api/docs/thought-signatures
  #signFirstCall(index: number): void {
    const parts = this.#contents.at(-1)?.parts ?? []
    const place = parts.findIndex((part) => 'functionCall' in part)
    const part = parts[place]
    if (!this.#needsSignatures || index < this.#lastPrompt || part === undefined || 'thoughtSignature' in part) return
    parts[place] = { ...part, thoughtSignature: 'skip_thought_signature_validator' }
    this.#repair('unsigned-call', index, 'the call has no signature of Gemini, and is marked so')
  }

  #response(block: ToolCallBlock, index: number): JsonObject {
    const answer = this.#answers.get(index)
    const result = answer === undefined ? undefined : this.#blocks[answer]
    if (result?.kind !== 'tool_use')
      this.#repair('orphan-tool-call', index, 'it has no result; one that says so is sent')
    const response = result?.kind === 'tool_use' ? responseOf(result.payload) : { error: missingResult }
    const [part] = this.#ownParts(block) ?? []
    const id = text(object(part ?? {}, 'functionCall') ?? {}, 'id')
    return { functionResponse: { ...(id !== undefined && { id }), name: acceptedName(block.payload.name), response } }
  }

  #repair(repair: string, block: number, detail: string): void {
    this.#repairs.push({ repair, block, detail })
  }
}

function responseOf({ result, error }: Extract<Block, { kind: 'tool_use' }>['payload']): JsonObject {
  if (error) return { error, ...(result !== undefined && result !== null && { result }) }
  return isJsonObject(result) ? result : { result: result ?? null }
}

// ai.google.dev/api/caching#FunctionDeclaration: letters, digits, underscores, colons, dots and dashes, at most 64.
function acceptedName(name: string): string {
  const accepted = name.replaceAll(/[^A-Za-z0-9_:.-]/g, '_').slice(0, 64)
  return /^[A-Za-z_]/.test(accepted) ? accepted : `_${accepted}`.slice(0, 64)
}
