import { GeppettoError } from '../errors.ts'
import type { ImagePart } from './block.ts'

export function imageUrl(url: string): ImagePart {
  return { url }
}

export function imageBytes(bytes: Uint8Array, mediaType: string): ImagePart {
  return { content: toBase64(bytes), media_type: mediaType }
}

/** A file that was uploaded to the provider before. */
export function imageFile(fileId: string): ImagePart {
  return { file_id: fileId }
}

/** An image as a provider projection needs it: the one source that it has, bytes always as bare base64. */
export type ImageSource =
  | { readonly from: 'url'; readonly url: string }
  | { readonly from: 'bytes'; readonly base64: string; readonly mediaType: string }
  | { readonly from: 'file'; readonly fileId: string }
  | { readonly from: 'uri'; readonly uri: string; readonly mediaType?: string }

/**
 * Reads a stored image, whichever of its historical forms it has (`image_url`, a data URL under `url` or `content`).
 * Throws TURN_INVALID when it names no image.
 */
export function imageSource(part: ImagePart): ImageSource {
  const fields = part as unknown as Readonly<Record<string, unknown>> // older files have names that the type does not
  const mediaType = text(fields['media_type'])
  const url = text(fields['url']) ?? text(fields['image_url'])
  if (url !== undefined) return url.startsWith('data:') ? fromDataUrl(url) : { from: 'url', url }
  const fileId = text(fields['file_id'])
  if (fileId !== undefined) return { from: 'file', fileId }
  const uri = text(fields['file_uri'])
  if (uri !== undefined) return { from: 'uri', uri, ...(mediaType !== undefined && { mediaType }) }
  const content = text(fields['content'])
  if (content === undefined) throw invalid('an image needs a url, content, file_id or file_uri')
  if (content.startsWith('data:')) return fromDataUrl(content)
  if (mediaType === undefined) throw invalid('image content requires media_type')
  return { from: 'bytes', base64: content, mediaType }
}

function fromDataUrl(url: string): ImageSource {
  const match = /^data:([^;,]+)(?:;[^;,]+)*;base64,(.*)$/s.exec(url)
  if (match === null) throw invalid('only base64 image data is supported in a data URL')
  const [, mediaType = '', base64 = ''] = match
  return { from: 'bytes', base64, mediaType }
}

export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  }
  return btoa(binary)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function invalid(problem: string): GeppettoError {
  return new GeppettoError('TURN_INVALID', `The image cannot be used: ${problem}.`)
}
