import * as v from 'valibot'
import { GeppettoError } from '../../../errors.ts'
import type { ImagePart } from '../../../turns/block.ts'
import { imagesOf, type Attachment } from '../../attachments.ts'
import { idSchema, keySchema } from '../../native/commands.ts'
import { clientToolsSchema } from '../../profile.ts'

const text = v.optional(v.string())
const partSchema = v.looseObject({
  type: v.string(),
  text,
  url: text,
  mediaType: text,
  toolCallId: text,
  state: text,
  input: v.optional(v.any()),
  output: v.optional(v.any()),
  errorText: text,
  approval: v.optional(v.looseObject({ id: v.string(), approved: v.optional(v.boolean()), reason: text })),
})
export type SentPart = v.InferOutput<typeof partSchema>

const messageSchema = v.looseObject({
  id: keySchema,
  role: v.picklist(['system', 'user', 'assistant']),
  parts: v.array(partSchema),
})
export type SentMessage = v.InferOutput<typeof messageSchema>

const approvalSchema = v.object({ approval_id: v.string(), approved: v.boolean(), reason: text })
export type SentApproval = v.InferOutput<typeof approvalSchema>

/** What a client posts: its messages, all of them or the last alone, and in the rest what is ours. */
export const chatSchema = v.object({
  id: idSchema,
  messages: v.pipe(v.array(messageSchema), v.minLength(1)),
  trigger: v.optional(v.picklist(['submit-message', 'regenerate-message']), 'submit-message'),
  messageId: v.nullish(v.string()),
  /** Answers to approvals, from clients that have no part for them. */
  approvals: v.optional(v.array(approvalSchema), []),
  profile: v.optional(v.string()),
  /** Tools that the client runs. */
  client_tools: v.optional(clientToolsSchema),
})
export type ChatRequest = v.InferOutput<typeof chatSchema>

export interface SentPrompt {
  readonly text: string
  readonly images: readonly ImagePart[]
}

/** A user's message as a prompt: its text, and its files as images. Throws REQUEST_INVALID, ATTACHMENT_INVALID. */
export function promptOf({ id, parts }: SentMessage): SentPrompt {
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text ?? ''] : []))
  const files = parts.filter(({ type }) => type === 'file').map(attachmentOf)
  const other = parts.find(({ type }) => type !== 'text' && type !== 'file' && !type.startsWith('data-'))
  if (other !== undefined)
    throw new GeppettoError(
      'REQUEST_INVALID',
      `Message ${id} has a part of type ${other.type}: a user sends text and files.`,
    )
  return { text: texts.join('\n'), images: imagesOf(files) }
}

function attachmentOf({ url = '', mediaType = '' }: SentPart): Attachment {
  if (mediaType.startsWith('image/') || url.startsWith('data:')) return { type: 'image_url', url }
  throw new GeppettoError(
    'ATTACHMENT_INVALID',
    `A file of type ${mediaType} cannot be shown to the model; send images.`,
  )
}
