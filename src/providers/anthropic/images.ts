import type { JsonObject } from '../../json.ts'
import type { ImagePart } from '../../turns/block.ts'
import { imageSource, type ImageSource } from '../../turns/image.ts'
import type { Note } from '../part.ts'

const imageTypes: ReadonlySet<string> = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])

/** An image as a content block; nothing for one that the API cannot read. A PDF in its place is a document. */
export function imageContent(image: ImagePart, note: Note): readonly JsonObject[] {
  const source = readSource(image)
  switch (source?.from) {
    case 'url':
      return [{ type: 'image', source: { type: 'url', url: source.url } }]
    case 'file':
      return [{ type: 'image', source: { type: 'file', file_id: source.fileId } }]
    case 'bytes':
      return bytesContent(source.base64, source.mediaType, note)
    case 'uri':
      note('foreign-image', 'a file URI means something to Gemini only')
      return []
    case undefined:
      note('invalid-image', 'the image has no source that can be sent')
      return []
  }
}

function bytesContent(base64: string, mediaType: string, note: Note): readonly JsonObject[] {
  const type = mediaType === 'image/jpg' ? 'image/jpeg' : mediaType
  const source = { type: 'base64', media_type: type, data: base64 }
  if (type === 'application/pdf') return [{ type: 'document', source }]
  if (imageTypes.has(type)) return [{ type: 'image', source }]
  note('unsupported-image', `Anthropic takes no image of the type ${type}`)
  return []
}

function readSource(image: ImagePart): ImageSource | undefined {
  try {
    const source = imageSource(image)
    if (source.from === 'url') return /^https?:\/\//i.test(source.url) ? source : undefined
    if (source.from === 'file') return source.fileId.trim() === '' ? undefined : source
    return source
  } catch {
    return undefined
  }
}
