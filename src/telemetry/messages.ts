import type { Json, JsonObject } from '../json.ts'
import { toolArguments, type Block, type ImagePart } from '../turns/block.ts'

type Role = 'system' | 'user' | 'assistant' | 'tool'

/** Blocks as the messages of the conventions, in JSON. `finishReason` is given for what a model wrote. */
export function messagesText(blocks: readonly Block[], finishReason?: string): string {
  const messages: { readonly role: Role; readonly parts: JsonObject[] }[] = []
  for (const block of blocks) {
    const role = roleOf(block)
    const last = messages.at(-1)
    if (last?.role === role) last.parts.push(...partsOf(block))
    else messages.push({ role, parts: [...partsOf(block)] })
  }
  const ending = finishReason === undefined ? {} : { finish_reason: finishReason }
  return JSON.stringify(messages.map((message) => ({ ...message, ...ending })))
}

function roleOf(block: Block): Role {
  if (block.kind === 'system' || block.kind === 'user') return block.kind
  return block.kind === 'tool_use' ? 'tool' : 'assistant'
}

function partsOf(block: Block): readonly JsonObject[] {
  switch (block.kind) {
    case 'system':
    case 'llm_text':
      return [text(block.payload.text)]
    case 'user':
      return [text(block.payload.text), ...(block.payload.images ?? []).map(imagePart)]
    case 'reasoning':
      return block.payload.text === undefined ? [] : [{ type: 'reasoning', content: block.payload.text }]
    case 'tool_call': {
      const { id, name, args } = block.payload
      return [{ type: 'tool_call', id, name, arguments: toolArguments(block) ?? args }]
    }
    case 'tool_use': {
      const { id, result, error } = block.payload
      return [{ type: 'tool_call_response', id, response: error ?? result ?? null }]
    }
    case 'other':
      return [{ type: block.rawKind ?? block.kind }] // may hold what a provider has sealed
  }
}

function text(content: string): JsonObject {
  return { type: 'text', content }
}

function imagePart(image: ImagePart): JsonObject {
  const about: Record<string, Json> = { modality: 'image' }
  if (image.media_type !== undefined) about['mime_type'] = image.media_type
  if ('url' in image) return { type: 'uri', ...about, uri: image.url }
  if ('file_uri' in image) return { type: 'uri', ...about, uri: image.file_uri }
  if ('file_id' in image) return { type: 'file', ...about, file_id: image.file_id }
  return { type: 'blob', ...about, content: image.content }
}
