import { describe, expect, it } from 'vitest'
import { userText, type ImagePart } from './block.ts'
import { checkTurn, turnFromText, turnToJson, turnToYaml } from './document.ts'
import { imageBytes, imageFile, imageSource, imageUrl } from './image.ts'
import { blocksOf, createTurn } from './turn.ts'

const png = 'iVBORw0KGgo='
const bytes = { from: 'bytes', base64: png, mediaType: 'image/png' }

/** Images as files hold them, old names included. */
const stored: readonly (readonly [what: string, image: object, source: object])[] = [
  ['a link', imageUrl('https://example.com/a.png'), { from: 'url', url: 'https://example.com/a.png' }],
  [
    'a link under its old name',
    { image_url: 'https://example.com/a.png' },
    { from: 'url', url: 'https://example.com/a.png' },
  ],
  ['bytes', imageBytes(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), 'image/png'), bytes],
  ['base64', { content: png, media_type: 'image/png' }, bytes],
  ['a data URL as its link', { url: `data:image/png;base64,${png}` }, bytes],
  ['a data URL as its content', { content: `data:image/png;base64,${png}` }, bytes],
  ['a data URL with parameters', { url: `data:image/png;name=a.png;base64,${png}` }, bytes],
  ['an uploaded file', imageFile('file-1'), { from: 'file', fileId: 'file-1' }],
  [
    'a file by its address',
    { file_uri: 'gs://a/b', media_type: 'image/png' },
    { from: 'uri', uri: 'gs://a/b', mediaType: 'image/png' },
  ],
  ['a file by its address alone', { file_uri: 'gs://a/b' }, { from: 'uri', uri: 'gs://a/b' }],
]
const unusable = [
  [{}, 'an image needs a url, content, file_id or file_uri'],
  [{ url: '' }, 'an image needs a url'],
  [{ url: 5 }, 'an image needs a url'],
  [{ content: png }, 'image content requires media_type'],
  [{ url: 'data:image/png,abc' }, 'only base64 image data is supported in a data URL'],
  [{ url: 'data:;base64,abc' }, 'only base64 image data'],
] as const

describe('imageSource', () => {
  it.each(stored)('reads %s', (_what, image, source) => {
    expect(imageSource(image as ImagePart)).toEqual(source) // older names are not in the type
  })

  it.each(stored)('reads %s after a turn was stored', (_what, image, source) => {
    const turn = createTurn([userText('Look', [image as ImagePart])])
    for (const text of [turnToYaml(turn), turnToJson(turn)]) {
      const [user] = blocksOf(turnFromText(text), 'user')
      expect(user?.payload.images?.map(imageSource)).toEqual([source])
    }
  })

  it('reads bytes that YAML holds as binary', () => {
    const file = `blocks:
  - kind: user
    payload:
      images:
        - media_type: image/png
          content: !!binary |
            iVBORw0K
            Ggo=
`
    const [user] = blocksOf(turnFromText(file), 'user')
    expect(user?.payload.images?.map(imageSource)).toEqual([bytes])
  })

  it.each(unusable)('refuses %j', (image, problem) => {
    expect(() => imageSource(image as unknown as ImagePart)).toThrow(`The image cannot be used: ${problem}`)
  })

  it('holds bytes of any length', () => {
    const long = new Uint8Array(100_000).fill(7)
    const source = imageSource(imageBytes(long, 'image/png'))
    expect(source).toEqual({ from: 'bytes', base64: Buffer.from(long).toString('base64'), mediaType: 'image/png' })
  })
})

it.each(unusable)('a turn with the image %j is read, and the image is reported', (image, problem) => {
  const { turn, findings } = checkTurn(
    JSON.stringify({ blocks: [{ kind: 'user', payload: { text: 'Look', images: [image] } }] }),
  )
  expect(turn && blocksOf(turn, 'user')[0]?.payload.images).toEqual([image])
  expect(findings).toMatchObject([{ severity: 'warning', path: '$.blocks[0].payload.images[0]' }])
  expect(findings[0]?.message).toContain(problem)
})
