import { isJsonObject, jsonEqual, type Json, type JsonObject } from '../../json.ts'
import {
  toolArguments,
  type Block,
  type OtherBlock,
  type ReasoningBlock,
  type ReasoningPayload,
  type TextBlock,
  type ToolCallBlock,
  type ToolUseBlock,
  type UserBlock,
} from '../../turns/block.ts'
import type { BlockMetaKey } from '../../turns/key.ts'
import {
  blockResultKey,
  claudeOriginalContentKey,
  partialKey,
  sidecarKey,
  thoughtKey,
  thoughtSignatureKey,
} from '../../turns/keys.ts'
import { resultText } from '../tool-answers.ts'
import { object, text } from '../wire.ts'
import { imageContent } from './images.ts'
import type { Note } from '../part.ts'

// One block of a turn as the content blocks of a message. What cannot be sent is left out, and `note` hears why.

/** The names under which this provider's own items are stored. */
const ownNames: ReadonlySet<string> = new Set(['anthropic', 'claude'])

/** The text as a content block; nothing for text without a visible character, which the API refuses. */
export function textContent(value: string, note: Note): readonly JsonObject[] {
  if (value.trim() === '') {
    note('empty-block', 'text without a visible character is left out')
    return []
  }
  return [{ type: 'text', text: value }]
}

export function userContent({ payload }: UserBlock, note: Note): readonly JsonObject[] {
  const images = (payload.images ?? []).flatMap((image) => imageContent(image, note))
  return images.length > 0 && payload.text.trim() === '' ? images : [...textContent(payload.text, note), ...images]
}

/** The model's text, with what the provider sealed into it (citations) when that still says the same. */
export function assistantContent(block: TextBlock, note: Note): readonly JsonObject[] {
  const item = ownItem(block)
  if (item === undefined || item['type'] !== 'text') return textContent(block.payload.text, note)
  if (item['text'] === block.payload.text) return textContent(block.payload.text, note).length === 0 ? [] : [item]
  note('edited-block', 'the text was changed after the model wrote it; its citations are left out')
  return textContent(block.payload.text, note)
}

/**
 * Reasoning goes back only as it was signed, to the provider that signed it. Without a seal it is left out, and never
 * sent as text: the API ignores what it cannot verify at best, and the model reads as its answer what was none.
 * platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
 */
export function thinkingContent(block: ReasoningBlock, note: Note): readonly JsonObject[] {
  const { payload } = block
  if (read(partialKey, block) === true) {
    note('partial-reasoning', 'reasoning that was cut off has no signature')
    return []
  }
  const sidecar = read(sidecarKey, block)
  if (sidecar === undefined) return legacyThinking(block, note)
  if (!ownNames.has(sidecar.provider)) {
    note('foreign-reasoning', `reasoning that ${sidecar.provider} sealed`)
    return []
  }
  if (saysTheSame(sidecar.item, payload)) return [sidecar.item]
  note('edited-block', 'reasoning was changed after the model signed it')
  return []
}

function saysTheSame(
  item: JsonObject,
  { text: said = '', signature, encrypted_content: data }: ReasoningPayload,
): boolean {
  if (item['type'] === 'redacted_thinking') return isFilled(item['data']) && item['data'] === (data ?? item['data'])
  const isSigned = isFilled(item['signature']) && item['signature'] === (signature ?? item['signature'])
  return item['type'] === 'thinking' && item['thinking'] === said && isSigned
}

// Turns of older versions have the signature in the payload, and nobody but Anthropic wrote one there.
function legacyThinking(block: ReasoningBlock, note: Note): readonly JsonObject[] {
  const { text: thinking = '', signature = '', encrypted_content: encrypted, item_id: itemId } = block.payload
  const writer = read(blockResultKey, block)?.provider ?? 'anthropic'
  const hasForeignSeal =
    isFilled(encrypted) ||
    isFilled(itemId) ||
    read(thoughtKey, block) !== undefined ||
    read(thoughtSignatureKey, block) !== undefined
  if (hasForeignSeal || !ownNames.has(writer)) {
    note('foreign-reasoning', 'reasoning that another provider sealed')
    return []
  }
  if (isFilled(signature)) return [{ type: 'thinking', thinking, signature }]
  note('unsigned-reasoning', 'reasoning without a signature')
  return []
}

/** A call of one of our tools. `id` is the one that is sent; the arguments must be an object. */
export function callContent(block: ToolCallBlock, id: string, note: Note): JsonObject {
  const { name, args } = block.payload
  const own = ownItem(block)
  const says = own?.['type'] === 'tool_use' && own['name'] === name && jsonEqual(own['input'] ?? {}, args)
  if (own !== undefined && !says) note('edited-block', 'the call was changed after the model made it')
  const input = toolArguments(block)
  if (input === undefined) note('invalid-arguments', 'the arguments are no JSON object; {} is sent')
  const sentName = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed'
  if (sentName !== name) note('renamed-tool', `the API takes no tool of the name ${JSON.stringify(name)}`)
  return { ...(own !== undefined && says ? own : { type: 'tool_use' }), id, name: sentName, input: input ?? {} }
}

export function resultContent(block: ToolUseBlock, id: string): JsonObject {
  const content = resultText(block.payload)
  const isError = isFilled(block.payload.error)
  return {
    type: 'tool_result',
    tool_use_id: id,
    ...(content.trim() !== '' && { content }),
    ...(isError && { is_error: true }),
  }
}

/** Types that have blocks of their own, or that only a user may say: an item of these was not kept by the decoder. */
const notItems: ReadonlySet<string> = new Set([
  'text',
  'thinking',
  'redacted_thinking',
  'tool_use',
  'tool_result',
  'image',
  'document',
  'search_result',
])

/** An item that the provider gave and wants back as it was: a server tool's call, its result, a compaction. */
export function itemContent(block: OtherBlock, note: Note): readonly JsonObject[] {
  const item = block.rawKind === 'provider_item' ? object(block.payload, 'item') : undefined
  if (item === undefined) {
    note('unknown-block', `blocks of kind ${JSON.stringify(block.rawKind ?? 'other')} are not sent`)
    return []
  }
  const provider = text(block.payload, 'provider') ?? ''
  const type = text(item, 'type') ?? ''
  if (ownNames.has(provider) && type !== '' && !notItems.has(type)) return [item]
  note('foreign-item', `an item of ${provider || 'an unknown provider'}, of the type ${JSON.stringify(type)}`)
  return []
}

/** The content that older versions kept beside a block, to be sent in its place; undefined when there is none. */
export function originalContent(block: Block): readonly JsonObject[] | undefined {
  const original = read(claudeOriginalContentKey, block)
  if (!Array.isArray(original)) return undefined
  const items = original.filter(isJsonObject).filter(block.kind === 'user' ? isUserItem : isAssistantItem)
  return items.length === 0 ? undefined : items.map(({ cache_control: _marked, ...item }) => item)
}

function isUserItem(item: JsonObject): boolean {
  return item['type'] === 'text'
    ? isFilled(item['text'])
    : ['image', 'document', 'search_result'].includes(text(item, 'type') ?? '')
}

function isAssistantItem(item: JsonObject): boolean {
  switch (item['type']) {
    case 'text':
      return isFilled(item['text'])
    case 'thinking':
      return isFilled(item['signature']) && typeof item['thinking'] === 'string'
    case 'redacted_thinking':
      return isFilled(item['data'])
    case 'tool_use':
      return false // its own block says it
    default:
      return text(item, 'type') !== undefined && !notItems.has(text(item, 'type') ?? '')
  }
}

/** What this provider sealed into the block, if it did. */
function ownItem(block: Block): JsonObject | undefined {
  const sidecar = read(sidecarKey, block)
  return sidecar !== undefined && ownNames.has(sidecar.provider) ? sidecar.item : undefined
}

/** The value of a key; a value that cannot be read counts as none, for any turn must be sendable. */
export function read<T>(key: BlockMetaKey<T>, block: Block): T | undefined {
  try {
    return key.get(block)
  } catch {
    return undefined
  }
}

function isFilled(value: Json | undefined): boolean {
  return typeof value === 'string' && value.trim() !== ''
}
