import * as v from 'valibot'
import { GeppettoError } from '../../../errors.ts'
import { isJsonObject, tryParseJson, type Json } from '../../../json.ts'
import type { ApprovalAnswer } from '../../../session/stored-session.ts'
import type { Attachment } from '../../attachments.ts'
import { idSchema, keySchema } from '../../native/commands.ts'

// What clients send, as far as we read it. `state`, `forwardedProps` and fields of other versions are left alone.

const text = v.pipe(v.string(), v.maxLength(1_000_000))
const messageId = v.pipe(v.string(), v.minLength(1), v.maxLength(1_000))
const partSchema = v.looseObject({ type: v.string() })
const contentSchema = v.union([text, v.array(partSchema)])
const toolCallSchema = v.looseObject({ id: v.string(), function: v.looseObject({ name: v.string() }) })

const messageSchema = v.variant('role', [
  v.object({ role: v.literal('user'), id: messageId, content: contentSchema }),
  v.object({
    role: v.literal('assistant'),
    id: messageId,
    content: v.nullish(contentSchema),
    toolCalls: v.nullish(v.array(toolCallSchema)),
  }),
  v.object({
    role: v.literal('tool'),
    id: messageId,
    toolCallId: v.string(),
    content: contentSchema,
    error: v.nullish(text),
  }),
  v.object({ role: v.picklist(['system', 'developer', 'reasoning', 'activity']), id: messageId }),
])
export type InputMessage = v.InferOutput<typeof messageSchema>

const resumeSchema = v.object({
  interruptId: v.string(),
  status: v.picklist(['resolved', 'cancelled']),
  payload: v.optional(v.unknown()),
})
export type ResumeEntry = v.InferOutput<typeof resumeSchema>

export const inputSchema = v.object({
  threadId: idSchema,
  runId: keySchema,
  protocolVersion: v.nullish(v.string()),
  messages: v.array(messageSchema),
  tools: v.nullish(
    v.pipe(
      v.array(
        v.object({
          name: v.string(),
          description: v.nullish(v.string()),
          parameters: v.nullish(v.record(v.string(), v.any())),
        }),
      ),
      v.maxLength(128),
    ),
  ),
  context: v.nullish(v.array(v.object({ description: v.string(), value: v.string() }))),
  resume: v.nullish(v.array(resumeSchema)),
})
export type RunInput = v.InferOutput<typeof inputSchema>

type Content = v.InferOutput<typeof contentSchema>

/** The text of a message, whatever its parts are. */
export function textOf(content: Content): string {
  if (typeof content === 'string') return content
  return content
    .flatMap(({ type, text: said }) => (type === 'text' && typeof said === 'string' ? [said] : []))
    .join('\n')
}

const sourceSchema = v.variant('type', [
  v.object({ type: v.literal('data'), value: v.string(), mimeType: v.string() }),
  v.object({ type: v.literal('url'), value: v.string() }),
])
const imageSchema = v.object({ type: v.literal('image'), source: sourceSchema })
/** As clients before 1.0 send it. */
const binarySchema = v.object({
  type: v.literal('binary'),
  mimeType: v.string(),
  data: v.optional(v.string()),
  url: v.optional(v.string()),
})

/** The images of a message. Throws ATTACHMENT_INVALID for a part that cannot be shown to a model. */
export function attachmentsOf(content: Content): readonly Attachment[] {
  if (typeof content === 'string') return []
  return content.flatMap((part): readonly Attachment[] => {
    if (part.type === 'text') return []
    const image = v.safeParse(imageSchema, part)
    if (image.success) {
      const { source } = image.output
      if (source.type === 'url') return [{ type: 'image_url', url: source.value }]
      return [{ type: 'image', media_type: source.mimeType, data: source.value }]
    }
    const binary = v.safeParse(binarySchema, part)
    if (binary.success && binary.output.data !== undefined) {
      return [{ type: 'image', media_type: binary.output.mimeType, data: binary.output.data }]
    }
    if (binary.success && binary.output.url !== undefined) return [{ type: 'image_url', url: binary.output.url }]
    throw new GeppettoError(
      'ATTACHMENT_INVALID',
      `A part of the message is ${part.type}, or an image in a form that is not taken: send text, and images as data or as an address.`,
    )
  })
}

/** What a client says that its own tool gave: JSON when it is some, text otherwise. */
export function clientResult({ content, error }: Extract<InputMessage, { role: 'tool' }>): ApprovalAnswer {
  const said = textOf(content)
  if (error !== undefined && error !== null) return { decision: 'denied', message: error === '' ? said : error }
  return { decision: 'approved', result: tryParseJson(said) ?? said }
}

const payloadSchema = v.object({
  approved: v.boolean(),
  editedArgs: v.nullish(v.custom<Json>(isJsonObject, 'must be an object')),
  reason: v.nullish(v.pipe(v.string(), v.maxLength(10_000))),
})

/** What the answer to an interrupt decides. Throws REQUEST_INVALID for one that does not say whether it is approved. */
export function decisionOf({ interruptId, status, payload }: ResumeEntry): ApprovalAnswer {
  if (status === 'cancelled') return { decision: 'denied' }
  const parsed = v.safeParse(payloadSchema, payload)
  if (!parsed.success) {
    throw new GeppettoError(
      'REQUEST_INVALID',
      `The answer to interrupt ${interruptId} must be {"approved": true or false, "editedArgs"?: {…}, "reason"?: "…"}.`,
    )
  }
  const { approved, editedArgs, reason } = parsed.output
  if (!approved) return { decision: 'denied', ...(typeof reason === 'string' && { message: reason }) }
  return { decision: 'approved', ...(editedArgs !== null && editedArgs !== undefined && { input: editedArgs }) }
}
