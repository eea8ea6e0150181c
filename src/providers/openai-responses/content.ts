import type { ProjectionRepair } from '../../events/event.ts'
import { isJsonObject, type Json, type JsonObject } from '../../json.ts'
import type { ImagePart, ToolUsePayload, UserBlock } from '../../turns/block.ts'
import { imageSource, type ImageSource } from '../../turns/image.ts'
import { resultText } from '../tool-answers.ts'
import { list, text } from '../wire.ts'

// What is inside of input items: text and images.

/** Hears of each repair of the block that is being read. */
export type Note = (repair: ProjectionRepair['repair'], detail: string) => void

export function userContent({ payload }: UserBlock, note: Note): readonly JsonObject[] {
  const images = (payload.images ?? []).flatMap((image) => imageContent(image, note))
  return [...(payload.text === '' ? [] : [inputText(payload.text)]), ...images]
}

export function inputText(value: string): JsonObject {
  return { type: 'input_text', text: value }
}

/** The result of a call: text, or parts when it is a list of texts and images as MCP servers give it. */
export function outputContent(payload: ToolUsePayload, note: Note): Json {
  const parts = payload.error === undefined || payload.error === '' ? mcpContent(payload.result) : []
  if (!parts.some((part) => part['type'] === 'image')) return resultText(payload)
  return parts.flatMap((part) => {
    if (part['type'] === 'text') return [inputText(text(part, 'text') ?? '')]
    return imageContent({ content: text(part, 'data') ?? '', media_type: text(part, 'mimeType') ?? '' }, note)
  })
}

/** The parts of a result in the form of an MCP server; none when it has another form. */
function mcpContent(result: Json | undefined): readonly JsonObject[] {
  const content = Array.isArray(result)
    ? (result as readonly Json[])
    : isJsonObject(result)
      ? list(result, 'content')
      : []
  const parts = content.filter(isJsonObject)
  return parts.length === content.length && parts.every(isMcpPart) ? parts : []
}

function isMcpPart(part: JsonObject): boolean {
  if (part['type'] === 'text') return typeof part['text'] === 'string'
  return part['type'] === 'image' && typeof part['data'] === 'string' && typeof part['mimeType'] === 'string'
}

function imageContent(image: ImagePart, note: Note): readonly JsonObject[] {
  const source = readImage(image, note)
  const detail = image.detail ?? 'auto'
  switch (source?.from) {
    case 'url':
      return [{ type: 'input_image', image_url: source.url, detail }]
    case 'bytes':
      return [{ type: 'input_image', image_url: `data:${source.mediaType};base64,${source.base64}`, detail }]
    case 'file':
      return [{ type: 'input_image', file_id: source.fileId, detail }]
    case 'uri':
      note('foreign-image', 'a file URI means something to Gemini only')
      return []
    case undefined:
      return []
  }
}

function readImage(image: ImagePart, note: Note): ImageSource | undefined {
  try {
    return imageSource(image)
  } catch {
    note('invalid-image', 'the image has no source that can be read')
    return undefined
  }
}
