import * as v from 'valibot'
import { tryParseJson, type Json } from '../../../json.ts'
import {
  assistantText,
  systemText,
  toolCall,
  userText,
  type Block,
  type ImagePart,
  type ToolCallBlock,
} from '../../../turns/block.ts'
import { imagesLimit, imagesOf } from '../../attachments.ts'
import { bodyLimit } from '../../body.ts'

/** Bytes of a request: whole conversations, with images as base64. */
export const requestLimit = Math.ceil((imagesLimit * 4) / 3) + 4 * bodyLimit

const detail = v.nullish(v.picklist(['low', 'high', 'auto', 'original']))

/** One part of a message, in the words of either API. */
const partSchema = v.variant('type', [
  v.object({ type: v.picklist(['text', 'input_text', 'output_text']), text: v.string() }),
  v.object({ type: v.literal('refusal'), refusal: v.string() }),
  v.object({ type: v.literal('image_url'), image_url: v.object({ url: v.string(), detail }) }),
  v.object({ type: v.literal('input_image'), image_url: v.string(), detail }),
])
export const contentSchema = v.union([v.string(), v.array(partSchema)])
export type Content = v.InferOutput<typeof contentSchema>

/** The texts of a content, put together. */
export function textOf(content: Content | null | undefined): string {
  if (content === null || content === undefined) return ''
  if (typeof content === 'string') return content
  return content.flatMap((part) => ('text' in part ? part.text : 'refusal' in part ? part.refusal : [])).join('\n\n')
}

/** What a message of this role says, as blocks. */
export function messageBlocks(
  role: 'system' | 'developer' | 'user' | 'assistant',
  content: Content | null | undefined,
): readonly Block[] {
  const text = textOf(content)
  switch (role) {
    case 'system':
    case 'developer':
      return [systemText(text)]
    case 'user':
      return [userText(text, imagesIn(content))]
    case 'assistant':
      return text === '' ? [] : [assistantText(text)]
  }
}

/** A call as a client sends it back: the arguments are JSON as text, or what a model wrote instead. */
export function sentCall(id: string, name: string, argumentsText: string): ToolCallBlock {
  return toolCall(id, name, tryParseJson(argumentsText) ?? argumentsText)
}

/** Arguments as both APIs send them. */
export function argumentsText(args: Json): string {
  return typeof args === 'string' ? args : JSON.stringify(args)
}

function imagesIn(content: Content | null | undefined): readonly ImagePart[] {
  if (content === null || content === undefined || typeof content === 'string') return []
  const sent = content.flatMap((part) => {
    if (part.type === 'image_url') return { url: part.image_url.url, detail: part.image_url.detail }
    return part.type === 'input_image' ? { url: part.image_url, detail: part.detail } : []
  })
  const images = imagesOf(sent.map(({ url }) => ({ type: 'image_url', url })))
  return images.map((image, index) => {
    const { detail: asked } = sent[index] ?? {}
    return asked === undefined || asked === null ? image : { ...image, detail: asked }
  })
}
