import type { ProjectionRepair } from '../../events/event.ts'
import { jsonEqual, tryParseJson, type Json, type JsonObject } from '../../json.ts'
import {
  toolArguments,
  type Block,
  type ImagePart,
  type ReasoningBlock,
  type TextBlock,
  type ToolCallBlock,
  type ToolUseBlock,
  type UserBlock,
} from '../../turns/block.ts'
import { imageSource, type ImageSource } from '../../turns/image.ts'
import { blockResultKey, partialKey, sidecarKey, thoughtKey, thoughtSignatureKey } from '../../turns/keys.ts'
import { resultText } from '../tool-answers.ts'
import { wellFormed } from '../well-formed.ts'
import { object, objects, text } from '../wire.ts'
import type { Vendor } from './vendors.ts'

// One block of a turn as what it becomes in a message. What cannot be sent is left out, and `note` hears why.

/** Hears of each repair of the block that is being read. */
export type Note = (repair: ProjectionRepair['repair'], detail: string) => void

/** The names under which this provider's items are stored. */
const ownNames: ReadonlySet<string> = new Set(['openai', 'anyscale', 'fireworks'])

/** A text that somebody says; undefined for one without a visible character, which many vendors refuse. */
export function visibleText(value: string, note: Note): string | undefined {
  if (value.trim() !== '') return value
  note('empty-block', 'text without a visible character is left out')
  return undefined
}

/** What a user says: a text, or parts where there are images. */
export function userContent({ payload }: UserBlock, note: Note): Json | undefined {
  const images = (payload.images ?? []).flatMap((image) => imagePart(image, note))
  if (images.length === 0) return visibleText(payload.text, note)
  return [...(payload.text.trim() === '' ? [] : [textPart(payload.text)]), ...images]
}

export function textPart(value: string): JsonObject {
  return { type: 'text', text: value }
}

function imagePart(image: ImagePart, note: Note): readonly JsonObject[] {
  const source = readImage(image)
  // `original` is for the Responses API alone.
  const detail = image.detail === undefined ? 'auto' : image.detail === 'original' ? 'high' : image.detail
  switch (source?.from) {
    case 'url':
      return [{ type: 'image_url', image_url: { url: source.url, detail } }]
    case 'bytes':
      if (source.mediaType.startsWith('image/')) {
        return [{ type: 'image_url', image_url: { url: `data:${source.mediaType};base64,${source.base64}`, detail } }]
      }
      note('unsupported-image', `Chat Completions take no image of the type ${source.mediaType}`)
      return []
    case 'file':
      note(
        'unsupported-image',
        'Chat Completions take an image as a link or as bytes, not as a file that a provider holds',
      )
      return []
    case 'uri':
      note('foreign-image', 'a file URI means something to Gemini only')
      return []
    case undefined:
      note('invalid-image', 'the image has no source that can be read')
      return []
  }
}

function readImage(image: ImagePart): ImageSource | undefined {
  try {
    return imageSource(image)
  } catch {
    return undefined
  }
}

/** What the model said, as parts of the content where it came in such (Mistral's references), else as one text. */
export function assistantParts(block: TextBlock, vendor: Vendor, note: Note): readonly JsonObject[] {
  const said = block.payload.text
  const plain = visibleText(said, note) === undefined ? [] : [textPart(said)]
  const content = ownItem(block)?.['content']
  if (content === undefined) return plain
  const parts: readonly JsonObject[] =
    typeof content === 'string' ? [textPart(content)] : objects({ content }, 'content')
  if (parts.map((part) => text(part, 'text') ?? '').join('') !== said) {
    note('edited-block', 'the text was changed after the model wrote it; what it refers to is left out')
    return plain
  }
  return vendor.reasoning === 'parts' && plain.length > 0 ? parts : plain
}

/** Reasoning as the fields of the message, or the parts of its content, that it goes back in. */
export interface SentReasoning {
  readonly fields: Readonly<Record<string, string>>
  readonly details: readonly JsonObject[]
  readonly parts: readonly JsonObject[]
}

/**
 * Reasoning goes back only to those who speak this protocol, in the field that it came in, and as far as the vendor
 * takes it (see vendors.ts). It is never sent as text: the model would read as its answer what was none.
 */
export function sentReasoning(block: ReasoningBlock, vendor: Vendor, note: Note): SentReasoning | undefined {
  if (block.metadata?.[partialKey.id] === true) {
    note('partial-reasoning', 'reasoning that was cut off is not sent')
    return undefined
  }
  const item = reasoningItem(block)
  if (item === undefined) {
    note('foreign-reasoning', 'reasoning of another provider')
    return undefined
  }
  const said = block.payload.text ?? ''
  const came = cameIn(item)
  const isEdited = came.text !== said
  if (isEdited) note('edited-block', 'the reasoning was changed after the model wrote it; what sealed it is left out')
  const details = isEdited ? [] : objects(item, 'reasoning_details')
  const thought = { type: 'thinking', thinking: [textPart(said)] }
  switch (vendor.reasoning) {
    case 'never':
      return undefined
    case 'details':
      return { fields: {}, details, parts: [] }
    case 'parts':
      return { fields: {}, details: [], parts: came.field === 'parts' && said !== '' ? [thought] : [] }
    case 'required':
      return { fields: came.field === 'reasoning_content' ? { reasoning_content: said } : {}, details: [], parts: [] }
    case 'echo':
      return { fields: came.field === 'parts' || said === '' ? {} : { [came.field]: said }, details: [], parts: [] }
  }
}

function cameIn(item: JsonObject): {
  readonly field: 'reasoning' | 'reasoning_content' | 'parts'
  readonly text: string
} {
  for (const field of ['reasoning_content', 'reasoning'] as const) {
    const value = text(item, field)
    if (value !== undefined) return { field, text: value }
  }
  const thoughts = objects(item, 'content').flatMap((part) => objects(part, 'thinking'))
  const words = thoughts.map((thought) => text(thought, 'text') ?? '').join('')
  return { field: thoughts.length > 0 ? 'parts' : 'reasoning', text: words }
}

// Turns of older versions have the plain text alone, and those of other providers a seal beside it.
function reasoningItem(block: ReasoningBlock): JsonObject | undefined {
  const { metadata = {}, payload } = block
  if (metadata[sidecarKey.id] !== undefined) return ownItem(block)
  const writer = text(object(metadata, blockResultKey.id) ?? {}, 'provider')
  const isSealed = [payload.signature, payload.encrypted_content, payload.item_id].some(
    (seal) => seal !== undefined && seal !== '',
  )
  const isGemini = metadata[thoughtKey.id] !== undefined || metadata[thoughtSignatureKey.id] !== undefined
  if (isSealed || isGemini || (writer !== undefined && !ownNames.has(writer))) return undefined
  return { reasoning_content: payload.text ?? '' }
}

/** A call of one of our tools: as it came, where it still says what the block says. `id` is the one that is sent. */
export function callItem(block: ToolCallBlock, id: string, vendor: Vendor, note: Note): JsonObject {
  const { name } = block.payload
  const item = ownItem(block)
  const own = item !== undefined && saysTheSame(item, block) ? item : undefined
  if (item !== undefined && own === undefined) note('edited-block', 'the call was changed after the model made it')
  const sentName = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed'
  if (sentName !== name) note('renamed-tool', `no tool may have the name ${JSON.stringify(name)}`)
  const custom = object(own ?? {}, 'custom')
  if (custom !== undefined) return { id, type: 'custom', custom: { ...custom, name: sentName } }
  const called = { name: sentName, arguments: sentArguments(block, object(own ?? {}, 'function') ?? {}, note) }
  const { id: _id, type: _type, function: _function, ...extras } = own ?? {}
  return { id, type: 'function', function: called, ...(vendor.takesExtras && extras) }
}

/** The arguments as JSON text of an object: as the model spaced it, where that can be sent. */
function sentArguments(block: ToolCallBlock, called: JsonObject, note: Note): string {
  const { args } = block.payload
  const value = toolArguments(block)
  if (value === undefined) {
    note('invalid-arguments', 'the arguments are no JSON object; {} is sent')
    return '{}'
  }
  const sendable = wellFormed(value)
  const written = text(called, 'arguments') ?? (typeof args === 'string' ? args : JSON.stringify(value))
  if (sendable === value) return written.trim() === '' ? '{}' : written
  note('lone-surrogate', 'arguments with half of a surrogate pair')
  return JSON.stringify(sendable)
}

function saysTheSame(item: JsonObject, { payload: { name, args } }: ToolCallBlock): boolean {
  const custom = object(item, 'custom')
  if (custom !== undefined) return text(custom, 'name') === name && text(custom, 'input') === args
  const called = object(item, 'function') ?? {}
  const written = text(called, 'arguments') ?? ''
  const says = written.trim() === '' ? {} : tryParseJson(written)
  return text(called, 'name') === name && (written === args || (says !== undefined && jsonEqual(says, args)))
}

/** A result as text; some vendors refuse an empty one ("must not be empty"). */
export function resultContent({ payload }: ToolUseBlock): string {
  const content = resultText(payload)
  return content.trim() === '' ? '(no output)' : content
}

/** What this provider sealed into the block, if it did. */
function ownItem(block: Block): JsonObject | undefined {
  const sidecar = object(block.metadata ?? {}, sidecarKey.id)
  if (sidecar === undefined || !ownNames.has(text(sidecar, 'provider') ?? '')) return undefined
  return object(sidecar, 'item')
}
