import { describe, expect, test } from 'vitest'
import { project } from '../../../test/support/gemini-requests.ts'
import { userText, type ImagePart } from '../../turns/block.ts'

const go = { text: 'Continue.' }

describe('images', () => {
  test.each<[string, ImagePart, object | undefined, string | undefined]>([
    [
      'bytes',
      { content: 'aGk=', media_type: 'image/png' },
      { inlineData: { mimeType: 'image/png', data: 'aGk=' } },
      undefined,
    ],
    [
      'bytes of a type by another name',
      { content: 'aGk=', media_type: 'image/jpg' },
      { inlineData: { mimeType: 'image/jpeg', data: 'aGk=' } },
      undefined,
    ],
    [
      'a data URL',
      { url: 'data:image/webp;base64,aGk=' },
      { inlineData: { mimeType: 'image/webp', data: 'aGk=' } },
      undefined,
    ],
    [
      'a data URL as content',
      { content: 'data:image/webp;base64,aGk=', media_type: 'x' },
      { inlineData: { mimeType: 'image/webp', data: 'aGk=' } },
      undefined,
    ],
    [
      'a link',
      { url: 'https://a.example/b.PNG?c=d' },
      { fileData: { mimeType: 'image/png', fileUri: 'https://a.example/b.PNG?c=d' } },
      undefined,
    ],
    [
      'a link of a type',
      { url: 'https://a.example/b', media_type: 'image/gif' },
      { fileData: { mimeType: 'image/gif', fileUri: 'https://a.example/b' } },
      undefined,
    ],
    ['a link of no type', { url: 'https://a.example/b' }, { fileData: { fileUri: 'https://a.example/b' } }, undefined],
    ['a link without https', { url: 'http://a.example/b.png' }, undefined, 'unsupported-image'],
    [
      'a URI',
      { file_uri: 'gs://a/b', media_type: 'image/png' },
      { fileData: { mimeType: 'image/png', fileUri: 'gs://a/b' } },
      undefined,
    ],
    [
      "one of Gemini's files",
      { file_id: 'files/abc', media_type: 'image/png' },
      { fileData: { mimeType: 'image/png', fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc' } },
      undefined,
    ],
    ["another provider's file", { file_id: 'file-abc' }, undefined, 'foreign-image'],
    ['bytes of no type', { content: 'aGk=', media_type: '' }, undefined, 'invalid-image'],
    ['a data URL that is not base64', { url: 'data:image/svg+xml,<svg/>' }, undefined, 'invalid-image'],
  ])('%s', (_name, image, part, repair) => {
    const { contents, repaired } = project([userText('Look', [image])])
    expect(contents).toEqual([['user', { text: 'Look' }, ...(part === undefined ? [] : [part])]])
    expect(repaired).toEqual(repair === undefined ? [] : [[repair, 0]])
  })

  test('one alone needs no words, and one that cannot be sent leaves no empty content', () => {
    expect(project([userText('', [{ content: 'aGk=', media_type: 'image/png' }])])).toMatchObject({
      contents: [['user', { inlineData: { data: 'aGk=' } }]],
      repaired: [],
    })
    expect(project([userText('', [{ file_id: 'x' }])])).toMatchObject({
      contents: [['user', go]],
      repaired: [
        ['foreign-image', 0],
        ['empty-block', 0],
        ['missing-user-message', 0],
      ],
    })
  })
})
