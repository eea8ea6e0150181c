import * as v from 'valibot'
import { GeppettoError } from '../errors.ts'
import { imageBytes, imageUrl } from '../turns/image.ts'
import type { ImagePart } from '../turns/block.ts'

/** Bytes of one image, and of all that come with one prompt. */
const imageLimit = 5_242_880
export const imagesLimit = 15_728_640

/** An image as a client sends it: its bytes as base64, also as a data URL, or an address that the provider is to look at. */
export const attachmentSchema = v.variant('type', [
  v.object({ type: v.literal('image'), media_type: v.string(), data: v.string() }),
  v.object({ type: v.literal('image_url'), url: v.string() }),
])
export type Attachment = v.InferOutput<typeof attachmentSchema>

/** How the files begin that providers take for images. A name is believed only when the bytes say the same. */
const signatures: Readonly<Record<string, (bytes: Uint8Array) => boolean>> = {
  'image/png': (bytes) => begins(bytes, 0, [0x89, 0x50, 0x4e, 0x47]),
  'image/jpeg': (bytes) => begins(bytes, 0, [0xff, 0xd8, 0xff]),
  'image/gif': (bytes) => begins(bytes, 0, [0x47, 0x49, 0x46, 0x38]),
  'image/webp': (bytes) => begins(bytes, 0, [0x52, 0x49, 0x46, 0x46]) && begins(bytes, 8, [0x57, 0x45, 0x42, 0x50]),
}

/** The attachments as parts of a prompt. Throws ATTACHMENT_INVALID and REQUEST_TOO_LARGE, naming which. */
export function imagesOf(attachments: readonly Attachment[]): readonly ImagePart[] {
  let total = 0
  return attachments.map((sent, index) => {
    const attachment = withoutDataUrl(sent, index)
    if (attachment.type === 'image_url') return imageUrl(addressOf(attachment.url, index))
    const bytes = bytesOf(attachment.data, index)
    total += bytes.byteLength
    if (bytes.byteLength > imageLimit || total > imagesLimit) {
      throw new GeppettoError(
        'REQUEST_TOO_LARGE',
        `attachments.${index}: an image may have ${imageLimit} bytes, all of them ${imagesLimit}.`,
      )
    }
    const isSo = signatures[attachment.media_type.toLowerCase()]
    if (isSo === undefined)
      throw invalid(
        index,
        `${attachment.media_type} is no type that can be shown to a model; send ${Object.keys(signatures).join(', ')}`,
      )
    if (!isSo(bytes)) throw invalid(index, `the bytes are no ${attachment.media_type}`)
    return imageBytes(bytes, attachment.media_type.toLowerCase())
  })
}

function withoutDataUrl(sent: Attachment, index: number): Attachment {
  if (sent.type === 'image' || !sent.url.startsWith('data:')) return sent
  const [, type, data] = /^data:([^;,]+)(?:;[^;,]+)*;base64,(.*)$/s.exec(sent.url) ?? []
  if (type !== undefined && data !== undefined) return { type: 'image', media_type: type, data }
  throw invalid(index, 'a data URL must be base64, as data:image/png;base64,…')
}

// It is the provider that fetches it, never this server.
function addressOf(url: string, index: number): string {
  const parsed = URL.parse(url)
  if (parsed?.protocol !== 'https:' || parsed.username !== '' || parsed.password !== '') {
    throw invalid(index, 'the address must begin with https:// and carry no password')
  }
  return parsed.href
}

function bytesOf(data: string, index: number): Uint8Array {
  try {
    return Uint8Array.from(atob(data), (character) => character.charCodeAt(0))
  } catch {
    throw invalid(index, 'data is not base64')
  }
}

function begins(bytes: Uint8Array, at: number, expected: readonly number[]): boolean {
  return expected.every((byte, index) => bytes[at + index] === byte)
}

function invalid(index: number, problem: string): GeppettoError {
  return new GeppettoError('ATTACHMENT_INVALID', `attachments.${index}: ${problem}.`)
}
