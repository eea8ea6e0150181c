import type { Json, JsonObject } from '../json.ts'

/**
 * One piece of a model's context. `payload` is what it says, in the stored form (snake_case); `metadata` holds facts
 * about it under typed keys. A block is a value: nothing changes it.
 */
interface BlockOf<Kind extends string, Payload> {
  readonly kind: Kind
  /** Names the block inside its turn; never sent to a provider. */
  readonly id?: string
  readonly role?: string
  readonly payload: Payload
  readonly metadata?: JsonObject
  /** Fields that this version does not know, kept for the one that does. */
  readonly extra?: JsonObject
}

export type SystemBlock = BlockOf<'system', { readonly text: string }>
export type UserBlock = BlockOf<'user', { readonly text: string; readonly images?: readonly ImagePart[] }>
export type TextBlock = BlockOf<'llm_text', { readonly text: string; readonly item_id?: string }>
export type ReasoningBlock = BlockOf<'reasoning', ReasoningPayload>
export type ToolCallBlock = BlockOf<'tool_call', ToolCallPayload>
export type ToolUseBlock = BlockOf<'tool_use', ToolUsePayload>
/** A block of a kind that this version does not know; `rawKind` is the kind as it was written. */
export type OtherBlock = BlockOf<'other', JsonObject> & { readonly rawKind?: string }

export type Block = SystemBlock | UserBlock | TextBlock | ReasoningBlock | ToolCallBlock | ToolUseBlock | OtherBlock
export type BlockKind = Block['kind']

export const blockKinds = [
  'user',
  'llm_text',
  'tool_call',
  'tool_use',
  'system',
  'reasoning',
  'other',
] as const satisfies readonly BlockKind[]

export interface ReasoningPayload {
  /** What a person may read of it; absent when the provider gave only a sealed form. */
  readonly text?: string
  readonly item_id?: string
  readonly encrypted_content?: string
  readonly signature?: string
  readonly summary?: readonly Json[]
}

export interface ToolCallPayload {
  /** The tool call id; the result names it. */
  readonly id: string
  readonly name: string
  /** The arguments: a JSON object, or the text as the model wrote it when that is no JSON. */
  readonly args: Json
  readonly item_id?: string
}

export interface ToolUsePayload {
  /** The id of the call that this answers. */
  readonly id: string
  readonly result?: Json
  readonly error?: string
  /** The tool may have done its work or not: nobody saw it end. */
  readonly outcome_unknown?: true
}

interface ImageOptions {
  readonly detail?: 'low' | 'high' | 'auto' | 'original'
}
/** An image: a link, the bytes in base64, or a file that the provider holds. */
export type ImagePart = ImageOptions &
  (
    | { readonly url: string; readonly media_type?: string }
    | { readonly content: string; readonly media_type: string }
    | { readonly file_id: string; readonly media_type?: string }
    | { readonly file_uri: string; readonly media_type?: string }
  )

export function systemText(text: string): SystemBlock {
  return { kind: 'system', role: 'system', payload: { text } }
}

export function userText(text: string, images: readonly ImagePart[] = []): UserBlock {
  return { kind: 'user', role: 'user', payload: images.length === 0 ? { text } : { text, images } }
}

export function assistantText(text: string): TextBlock {
  return { kind: 'llm_text', role: 'assistant', payload: { text } }
}

export function reasoning(payload: ReasoningPayload): ReasoningBlock {
  return { kind: 'reasoning', role: 'assistant', payload }
}

export function toolCall(id: string, name: string, args: Json): ToolCallBlock {
  return { kind: 'tool_call', id, payload: { id, name, args } }
}

export function toolResult(id: string, result: Json): ToolUseBlock {
  return { kind: 'tool_use', payload: { id, result } }
}

export function toolError(id: string, error: string, result?: Json): ToolUseBlock {
  return { kind: 'tool_use', payload: result === undefined ? { id, error } : { id, result, error } }
}

/** A block of another kind than those of this version: `kind` is stored as it is. */
export function otherBlock(kind: string, payload: JsonObject): OtherBlock {
  return { kind: 'other', rawKind: kind, payload }
}

/** The arguments of a call as an object; undefined when they are none (cut off, or not JSON at all). */
export function toolArguments(block: ToolCallBlock): JsonObject | undefined {
  const { args } = block.payload
  const value = typeof args === 'string' ? parseArguments(args) : (args ?? {})
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

// A tool without parameters is called with "" by some providers and with "{}" by others.
function parseArguments(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
