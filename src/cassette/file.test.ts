import { describe, expect, test } from 'vitest'
import { converse, recorder } from '../../test/support/cassettes.ts'
import { chunk, stream } from '../../test/support/chat-replies.ts'
import { replying, type ReplyOptions } from '../../test/support/replies.ts'
import { engineNames, createEngine } from '../providers/factory.ts'
import { replayCassette } from './replay.ts'

const says = stream([chunk({ content: 'Done' }), chunk({}, 'stop')])
const header = '{"format":"geppetto-cassette","version":1}'
const end = (lines: number) => `{"type":"end","lines":${lines}}`

describe('A file that is no whole cassette is refused with the reason', () => {
  test.each([
    ['nothing', '', 'its first line is not the header'],
    ['another file', '{"hello":1}\n', 'its first line is not the header'],
    ['another version', '{"format":"geppetto-cassette","version":2}', 'it is of version 2, and version 1 can be read'],
    ['a header alone', header, 'it breaks off after line 1; record it again'],
    ['a missing end', `${header}\n{"type":"timer","timer":1}\n`, 'it breaks off after line 2'],
    ['half a line', `${header}\n{"type":"tim`, 'line 2 is not JSON'],
    ['a line too few', `${header}\n${end(1)}`, 'it should hold 1 lines between its first and its last, and holds 0'],
    ['two ends', `${header}\n${end(0)}\n${end(1)}`, 'it goes on after its end at line 2'],
    ['an unknown line', `${header}\n{"type":"smell"}\n${end(1)}`, 'line 2 is not what it should be at $.type'],
    [
      'a wrong field',
      `${header}\n{"type":"timer","timer":"x"}\n${end(1)}`,
      'line 2 is not what it should be at $.timer',
    ],
  ])('%s', (_what, text, reason) => {
    expect(() => replayCassette(text)).toThrow(expect.objectContaining({ code: 'CASSETTE_INVALID' }))
    expect(() => replayCassette(text)).toThrow(`This cassette cannot be replayed: ${reason}`)
  })

  test('wherever a recording is cut', async () => {
    const recording = recorder({ fetch: replying([says]).fetch })
    await converse(({ fetch }) => createEngine('openai', { fetch }), recording)
    const text = recording.text()
    for (let length = 0; length < text.length - 1; length += 7) {
      expect(() => replayCassette(text.slice(0, length))).toThrow(expect.objectContaining({ code: 'CASSETTE_INVALID' }))
    }
    expect(replayCassette(`\uFEFF${text}\n`).settings).toEqual({})
  })
})

describe('No secret reaches the file', () => {
  const secret = 'canary/8d1"f0+4711'
  const setups = engineNames.filter((name) => name !== 'scripted').map((name) => [name] as const)

  test.each(setups)('of the headers and the address of %s', async (name) => {
    const { fetch } = replying([says, { headers: { 'set-cookie': `a=${secret}`, 'x-request-id': 'r-1' } }])
    const recording = recorder({ fetch })
    await converse(
      (cassette) =>
        createEngine(name, {
          apiKey: secret,
          baseUrl: 'https://api.example/v1?key=query-key-1',
          headers: { cookie: 'cookie-secret-1' },
          fetch: cassette.fetch,
        }),
      recording,
    )
    const text = recording.text()
    for (const canary of ['canary', '4711', 'query-key-1', 'cookie-secret-1']) {
      expect(text).not.toContain(canary)
    }
    expect(text).toContain('"x-request-id":"r-1"')
  })

  const speaking = (content: string) => stream([chunk({ content }), chunk({}, 'stop')])
  test.each<[string, string, ReplyOptions, string]>([
    ['a reply says it', speaking(secret), {}, 'the reply to request 1'],
    ['a reply says it in pieces', speaking('sk-plain-4711'), { chunkSize: 5 }, 'the reply to request 1'],
    [
      'an error says it',
      '{"error":"sk-plain-4711"}',
      { status: 401, contentType: 'application/json' },
      'the reply to request 1',
    ],
    [
      'a header of the reply says it',
      says,
      { headers: { 'x-request-id': 'for-sk-plain-4711' } },
      'the reply to request 1',
    ],
  ])('The recording is given up when %s', async (_what, body, options, what) => {
    const apiKey = body.includes('canary') ? secret : 'sk-plain-4711'
    const recording = recorder({ fetch: replying([body, options]).fetch })
    await converse(({ fetch }) => createEngine('openai', { apiKey, fetch }), recording)
    expect(() => recording.text()).toThrow(expect.objectContaining({ code: 'CASSETTE_SECRET' }))
    expect(() => recording.text()).toThrow(`The recording was given up: ${what} holds a key`)
    expect(() => recording.text()).not.toThrow('4711')
  })

  test('The recording is given up before a prompt that holds the key is sent', async () => {
    const { fetch, sent } = replying([says])
    const recording = recorder({ fetch })
    const { error } = await converse(
      (cassette) => createEngine('openai', { apiKey: 'sk-plain-4711', fetch: cassette.fetch }),
      recording,
      ['My key is sk-plain-4711'],
    )
    expect(error).toMatchObject({ code: 'CASSETTE_SECRET' })
    expect(sent).toEqual([])
    expect(() => recording.text()).toThrow('request 1 holds a key')
  })
})
