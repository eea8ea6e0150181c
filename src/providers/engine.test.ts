import { describe, expect, test } from 'vitest'
import { frozen, replying, runToEnd, type ReplyOptions } from '../../test/support/replies.ts'
import type { Clock } from '../clock.ts'
import type { InferenceEvent } from '../events/event.ts'
import { assistantText, reasoning, userText } from '../turns/block.ts'
import { inferenceResultKey, partialKey } from '../turns/keys.ts'
import { answerText, createTurn } from '../turns/turn.ts'
import { providerEngine } from './engine.ts'
import type { ProviderSettings } from './provider-settings.ts'
import { streamError, type ProviderError } from './error.ts'
import type { CallOutcome, Protocol, StreamDecoder } from './protocol.ts'

/**
 * A protocol of its own for these tests: `{"say": …}` and `{"think": …}` are deltas, `{"end": word}` ends the reply,
 * `{"error": …}` is an error inside the stream.
 */
const plain: Protocol = {
  name: 'plain',
  defaultBaseUrl: 'https://plain.example/v1',
  authHeaders: (key) => ({ authorization: `Bearer ${key}` }),
  project: (turn) => ({ path: '/speak', body: { prompt: turn.blocks.length }, repairs: [] }),
  decoder: plainDecoder,
}

function plainDecoder(): StreamDecoder {
  const said = { text: '', thought: '' }
  let stopReason: string | undefined
  return {
    get isComplete() {
      return stopReason !== undefined
    },
    push(message, emit) {
      if (message['error'] !== undefined) throw streamError('plain', message)
      if (message['bug'] !== undefined) throw new TypeError('undefined is not a function')
      if (typeof message['say'] === 'string') {
        if (said.text === '') emit({ type: 'text-segment-started', segmentId: 'text' })
        emit({ type: 'text-delta', segmentId: 'text', offset: said.text.length, delta: message['say'] })
        said.text += message['say']
      }
      if (typeof message['think'] === 'string') said.thought += message['think']
      if (typeof message['end'] === 'string') stopReason = message['end']
    },
    finish(emit): CallOutcome | undefined {
      if (stopReason === undefined) return undefined
      if (said.thought !== '') {
        emit({ type: 'reasoning-segment-started', segmentId: 'thought' })
        emit({ type: 'reasoning-segment-finished', segmentId: 'thought', block: reasoning({ text: said.thought }) })
      }
      if (said.text !== '') emit({ type: 'text-segment-finished', segmentId: 'text', block: assistantText(said.text) })
      return { stopReason, usage: { input_tokens: 10, output_tokens: 5 }, continues: stopReason === 'pause' }
    },
  }
}

const lines = (...messages: readonly object[]) =>
  messages.map((message) => `data: ${JSON.stringify(message)}\n\n`).join('')
const hello = lines({ say: 'Hel' }, { say: 'lo' }, { end: 'stop' })
const prompt = createTurn([userText('Hi')])

type Replies = readonly (readonly [string, ReplyOptions?])[]
function speak(replies: Replies, settings: Partial<ProviderSettings> = {}, clock?: Clock) {
  const { fetch, sent } = replying(...replies)
  const engine = providerEngine(plain, { model: 'plain-1', fetch, ...settings })
  return runToEnd(engine, prompt, clock).then((outcome) => ({ ...outcome, sent }))
}
const types = (events: readonly InferenceEvent[]) => events.map((event) => event.type)
const attempts = (events: readonly InferenceEvent[]) =>
  events.flatMap((event) => (event.type === 'provider-call-started' ? [[event.providerCallId, event.attempt]] : []))

describe('a call that goes well', () => {
  test('ends as the turn that the stream says, with its result', async () => {
    const { turn, events, sent } = await speak([[hello, { headers: { 'x-request-id': 'req-1' } }]], {
      apiKey: 'secret',
      modelInfo: { cost: { input: 1, output: 2 } },
    })
    expect(answerText(turn)).toBe('Hello')
    expect(types(events)).toEqual([
      'inference-started',
      'provider-call-started',
      'text-segment-started',
      'text-delta',
      'text-delta',
      'text-segment-finished',
      'provider-call-finished',
      'inference-finished',
    ])
    expect(inferenceResultKey.get(turn)).toMatchObject({
      provider: 'plain',
      model: 'plain-1',
      stop_reason: 'stop',
      finish_class: 'completed',
      truncated: false,
      usage: { input_tokens: 10, output_tokens: 5 },
      cost: 20 / 1_000_000,
      request_id: 'req-1',
    })
    expect(sent[0]).toMatchObject({
      url: 'https://plain.example/v1/speak',
      headers: { authorization: 'Bearer secret' },
    })
  })

  test('is the same however the bytes are cut, and ends with a message that has no blank line behind it', async () => {
    const whole = await speak([[hello]])
    for (let chunkSize = 1; chunkSize <= hello.length; chunkSize += 1) {
      expect((await speak([[hello, { chunkSize }]])).events).toEqual(whole.events)
    }
    expect((await speak([[hello.trimEnd()]])).events).toEqual(whole.events)
  })

  test('text in any script survives a cut inside of a character, and CRLF a cut inside of a line end', async () => {
    const message = lines({ say: 'Grüße, 世界 👋' }, { end: 'stop' }).replaceAll('\n', '\r\n')
    for (const chunkSize of [1, 2, 3, 5])
      expect(answerText((await speak([[message, { chunkSize }]])).turn)).toBe('Grüße, 世界 👋')
  })

  test('keep-alives in every form are passed over', async () => {
    const stream = `: ping\n\ndata: : OPENROUTER PROCESSING\n\ndata:\n\n${lines({ say: 'Hi' })}: ping\n\n${lines({ end: 'stop' })}`
    expect(answerText((await speak([[stream]])).turn)).toBe('Hi')
  })

  test('what comes after the end is not read', async () => {
    expect(answerText((await speak([[hello + lines({ say: ' again' })]])).turn)).toBe('Hello')
  })

  test('a provider that pauses is sent the turn again until it ends', async () => {
    const { turn, sent, events } = await speak([
      [lines({ say: 'One.' }, { end: 'pause' })],
      [lines({ say: 'Two.' }, { end: 'stop' })],
    ])
    expect(answerText(turn)).toBe('One.\n\nTwo.')
    expect(sent.map(({ body }) => body)).toEqual(['{"prompt":1}', '{"prompt":2}'])
    expect(inferenceResultKey.get(turn)?.usage).toMatchObject({ input_tokens: 20, output_tokens: 10 })
    expect(attempts(events)).toEqual([
      ['id-1', 1],
      ['id-2', 1],
    ])
  })

  test('a provider that pauses for ever is given up as incomplete', async () => {
    const { turn, sent } = await speak([[lines({ say: 'Wait. ' }, { end: 'pause' })]])
    expect(sent).toHaveLength(6)
    expect(inferenceResultKey.get(turn)).toMatchObject({ finish_class: 'incomplete', stop_reason: 'pause' })
  })
})

describe('a call that fails', () => {
  const json = { contentType: 'application/json' }
  test.each<[string, Replies, string, RegExp]>([
    [
      'a wrong key',
      [['{"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}}', { ...json, status: 401 }]],
      'PROVIDER_AUTH',
      /HTTP 401: Incorrect API key provided\. Check the key/,
    ],
    [
      'no quota, which waiting does not mend',
      [['{"error":{"message":"No more","code":"insufficient_quota"}}', { ...json, status: 429 }]],
      'PROVIDER_RATE_LIMITED',
      /Check the plan/,
    ],
    [
      'a wrong path',
      [['not found', { status: 404, contentType: 'text/plain' }]],
      'PROVIDER_HTTP',
      /check the model's name and the base URL .*plain\.example\/v1\/speak/i,
    ],
    ['a redirect', [['', { status: 302 }]], 'PROVIDER_HTTP', /redirects are not followed/i],
    [
      'a page instead of a stream',
      [['<!doctype html><title>Sign in</title>', { contentType: 'text/html' }]],
      'PROVIDER_NOT_A_STREAM',
      /an HTML page \("Sign in"\), not the API/,
    ],
    ['JSON instead of a stream', [['{"ok":true}', json]], 'PROVIDER_NOT_A_STREAM', /HTTP 200: \{"ok":true\}/],
    [
      'an error in JSON with status 200',
      [['{"error":{"type":"overloaded_error","message":"Busy"}}', json]],
      'PROVIDER_OVERLOADED',
      /Busy/,
    ],
    ['a stream that is cut', [[lines({ say: 'Hel' })]], 'PROVIDER_STREAM_TRUNCATED', /broke off its answer/],
    [
      'a connection that breaks',
      [[lines({ say: 'Hel' }), { then: 'break' }]],
      'PROVIDER_STREAM_TRUNCATED',
      /other side closed/,
    ],
    [
      'an error inside the stream',
      [[lines({ say: 'Hel' }, { error: { type: 'overloaded_error', message: 'Overloaded' } })]],
      'PROVIDER_OVERLOADED',
      /while it answered \(overloaded_error\): Overloaded\./,
    ],
    [
      'a message that is not JSON',
      [[`${lines({ say: 'Hel' })}data: <oops>\n\n`]],
      'PROVIDER_PROTOCOL',
      /not JSON: <oops>/,
    ],
    ['an answer without a word', [[lines({ end: 'stop' })]], 'PROVIDER_EMPTY_RESPONSE', /without saying anything/],
  ])('%s is an error with a code and advice', async (_name, replies, code, sentence) => {
    const { error, events } = await speak(replies)
    expect(error).toMatchObject({ code })
    expect((error as ProviderError).message).toMatch(sentence)
    expect(events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code } })
  })

  test('a mistake in a decoder is said to be one, and not blamed on the connection', async () => {
    const { error, events } = await speak([[lines({ say: 'Hel' }, { bug: true })]])
    expect(error).toBeInstanceOf(TypeError)
    expect(events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code: 'INTERNAL' } })
  })

  test('keeps the text that was shown, marked as partial, and says how it ended', async () => {
    const { turn } = await speak([[lines({ say: 'Hel' })]])
    expect(answerText(turn)).toBe('Hel')
    expect(turn.blocks.map((block) => partialKey.get(block))).toEqual([undefined, true])
    expect(inferenceResultKey.get(turn)).toMatchObject({
      provider: 'plain',
      model: 'plain-1',
      finish_class: 'error',
      error: { code: 'PROVIDER_STREAM_TRUNCATED' },
    })
  })

  test.each([
    ['reasoning alone is no answer', { think: 'Hm' }, 'stop', 'incomplete'],
    ['a refusal without words is a refusal', {}, 'refusal', 'refusal'],
    ['a limit that was reached before the first word is a limit', {}, 'max_tokens', 'max_tokens'],
  ])('%s', async (_name, message, end, finish) => {
    const { turn, error, sent } = await speak([[lines(message, { end })]])
    expect(error).toBeUndefined()
    expect(sent).toHaveLength(1)
    expect(inferenceResultKey.get(turn)?.finish_class).toBe(finish)
  })

  test.each([
    ['{"city":"Paris"}', undefined],
    ['Paris, I think.', 'STRUCTURED_OUTPUT_INVALID'],
  ])('where JSON is required, %s ends with %s', async (say, code) => {
    const structuredOutput = {
      mode: 'json_schema' as const,
      name: 'place',
      schema: { type: 'object' },
      require_valid: true,
    }
    const { error, turn } = await speak([[lines({ say }, { end: 'stop' })]], { structuredOutput })
    expect((error as ProviderError | undefined)?.code).toBe(code)
    expect(answerText(turn)).toBe(say)
  })

  test('no key is in any error', async () => {
    const { error, events } = await speak([['{"error":"canary-key is wrong"}', { ...json, status: 400 }]], {
      apiKey: 'canary-key',
    })
    expect(JSON.stringify([error, (error as Error).message, (error as Error).stack, events])).not.toContain(
      'canary-key',
    )
  })
})

describe('trying again', () => {
  const busy = ['{"error":{"message":"Busy"}}', { status: 503, contentType: 'application/json' }] as const

  test('an attempt that showed nothing is repeated under the same call id', async () => {
    const { events, turn, sent } = await speak([busy, [lines({ end: 'stop' })], [hello]])
    expect(answerText(turn)).toBe('Hello')
    expect(attempts(events)).toEqual([
      ['id-1', 1],
      ['id-1', 2],
      ['id-1', 3],
    ])
    expect(events.filter((event) => event.type === 'attempt-discarded').map((event) => event.retryInMs)).toEqual([
      500, 1000,
    ])
    expect(new Set(sent.map(({ body }) => body)).size).toBe(1)
  })

  test('after the last attempt the error stands', async () => {
    const { error, sent } = await speak([busy], { retry: { maxAttempts: 2 } })
    expect(sent).toHaveLength(2)
    expect(error).toMatchObject({ code: 'PROVIDER_OVERLOADED' })
  })

  test('output that was shown is never followed by another attempt', async () => {
    const { sent, turn } = await speak([[lines({ say: 'Hel' })], [hello]])
    expect(sent).toHaveLength(1)
    expect(answerText(turn)).toBe('Hel')
  })

  test('unless the caller allows it; then the first output is void', async () => {
    const { sent, turn, events } = await speak([[lines({ say: 'Wrong' }, { say: '!' })], [hello]], {
      retry: { discardOutput: true },
    })
    expect(sent).toHaveLength(2)
    expect(turn.blocks).toHaveLength(2)
    expect(answerText(turn)).toBe('Hello')
    expect(events.filter((event) => event.type === 'text-delta').map((event) => event.attempt)).toEqual([1, 1, 2, 2])
  })

  test.each([
    ['2', [2000]],
    ['nonsense', [500]],
    ['3600', []],
  ])('Retry-After: %s is answered with pauses of %j ms', async (after, pauses) => {
    const reply = [busy[0], { ...busy[1], headers: { 'retry-after': after } }] as const
    const { events } = await speak([reply, [hello]])
    expect(events.flatMap((event) => (event.type === 'attempt-discarded' ? [event.retryInMs] : []))).toEqual(pauses)
  })
})

describe('a call that hangs', () => {
  /** A clock that jumps past the next timer as soon as everything waits. */
  function eagerClock(): Clock {
    let ms = 0
    return {
      now: () => ms,
      monotonic: () => ms,
      schedule(wait, run) {
        const handle = setImmediate(() => {
          ms += wait
          run()
        })
        return () => clearImmediate(handle)
      },
    }
  }

  test('is ended when no content comes, though keep-alives do', async () => {
    const stream = lines({ say: 'Hel' }) + ': ping\n\n'.repeat(5)
    const { error, turn } = await speak([[stream, { then: 'hang' }]], { timeouts: { idleMs: 1000 } }, eagerClock())
    expect(error).toMatchObject({
      code: 'PROVIDER_STALLED',
      message: expect.stringContaining('sent nothing for 1 s') as unknown,
    })
    expect(answerText(turn)).toBe('Hel')
  })

  test('a call without limits has no timer', async () => {
    const timers: number[] = []
    const clock = { ...frozen, schedule: (ms: number) => (timers.push(ms), () => {}) }
    await speak([[hello]], { timeouts: { idleMs: 0, firstByteMs: 0 } }, clock)
    expect(timers).toEqual([])
  })
})
