import type { JsonObject } from '../../json.ts'
import type { ImagePart } from '../../turns/block.ts'
import { imageSource, type ImageSource } from '../../turns/image.ts'
import type { Note } from '../part.ts'

// Links are fetched by the API itself, so that they must be public or signed, and https.
// ai.google.dev/gemini-api/docs/file-input-methods

/** Files that were uploaded are named by their URI. ai.google.dev/api/files#File */
const filesUri = 'https://generativelanguage.googleapis.com/v1beta/'

const typesByExtension: ReadonlyMap<string, string> = new Map([
  ['png', 'image/png'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['webp', 'image/webp'],
  ['gif', 'image/gif'],
  ['heic', 'image/heic'],
  ['heif', 'image/heif'],
  ['pdf', 'application/pdf'],
])

/** An image as a part; nothing for one that the API cannot get at. */
export function imageParts(image: ImagePart, note: Note): readonly JsonObject[] {
  const source = readSource(image)
  switch (source?.from) {
    case 'bytes':
      return [{ inlineData: { mimeType: mediaType(source.mediaType), data: source.base64 } }]
    case 'uri':
      return [fileData(source.uri, source.mediaType)]
    case 'file':
      if (source.fileId.startsWith('files/')) return [fileData(filesUri + source.fileId, image.media_type)]
      note('foreign-image', `Gemini's files are named files/…, not ${JSON.stringify(source.fileId)}`)
      return []
    case 'url':
      if (/^https:\/\//i.test(source.url)) return [fileData(source.url, image.media_type ?? typeOfUrl(source.url))]
      note('unsupported-image', 'Gemini fetches links over https only; send the bytes of this one')
      return []
    case undefined:
      note('invalid-image', 'the image has no source that can be sent')
      return []
  }
}

function fileData(fileUri: string, type: string | undefined): JsonObject {
  return { fileData: { ...(type !== undefined && { mimeType: mediaType(type) }), fileUri } }
}

function mediaType(type: string): string {
  return type === 'image/jpg' ? 'image/jpeg' : type
}

function typeOfUrl(url: string): string | undefined {
  const path = URL.canParse(url) ? new URL(url).pathname : ''
  return typesByExtension.get(path.slice(path.lastIndexOf('.') + 1).toLowerCase())
}

function readSource(image: ImagePart): ImageSource | undefined {
  try {
    return imageSource(image)
  } catch {
    return undefined
  }
}
