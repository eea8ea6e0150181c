import { describe, expect, test } from 'vitest'
import { replying, runToEnd } from '../../test/support/replies.ts'
import { userText } from '../turns/block.ts'
import { answerText, createTurn } from '../turns/turn.ts'
import { createEngine, defaultModels, engineNameOf, engineNames, type EngineName } from './factory.ts'

const hello = createTurn([userText('say Hello')])

describe('an engine is made by its name', () => {
  const meant: readonly (readonly [name: string, engine: EngineName, path: string])[] = [
    ['openai', 'openai', '/chat/completions'],
    ['openai-responses', 'openai-responses', '/responses'],
    ['open-responses', 'openai-responses', '/responses'],
    ['anthropic', 'anthropic', '/messages'],
    [' Claude ', 'anthropic', '/messages'],
    ['gemini', 'gemini', `/models/${defaultModels.gemini}:streamGenerateContent`],
  ]
  test.each(meant)('%j is %s', async (name, engine, path) => {
    expect(engineNameOf(name)).toBe(engine)
    const { fetch, sent } = replying(['', { status: 400, contentType: 'text/plain' }])
    const { events } = await runToEnd(createEngine(name, { fetch }), hello)
    expect(new URL(sent[0]?.url ?? '').pathname).toContain(path)
    expect(events.find((event) => event.type === 'provider-call-started')).toMatchObject({
      provider: engine,
      model: defaultModels[engine],
    })
  })

  test('the scripted one needs nothing, and takes what is its own', async () => {
    const { turn } = await runToEnd(createEngine('scripted', { pace: 0 }), hello)
    expect(answerText(turn)).toBe('Hello')
    const own = createEngine('scripted', { pace: 0, model: 'mine', script: '[{reply: [{text: Mine.}]}]' })
    const { turn: other, events } = await runToEnd(own, hello)
    expect([answerText(other), events.find((event) => event.type === 'provider-call-started')]).toMatchObject([
      'Mine.',
      { model: 'mine' },
    ])
  })

  test.each(['', 'openapi', 'toString'])('there is none for %j', (name) => {
    expect(() => createEngine(name)).toThrow(expect.objectContaining({ code: 'PROVIDER_UNKNOWN' }))
    expect(() => createEngine(name)).toThrow(engineNames.join(', '))
  })
})

describe('a key', () => {
  test.each(engineNames.filter((name) => name !== 'scripted'))('is needed for the own API of %s', (name) => {
    expect(() => createEngine(name)).toThrow(expect.objectContaining({ code: 'PROVIDER_KEY_MISSING' }))
    expect(() => createEngine(name, { apiKey: '' })).toThrow(expect.objectContaining({ code: 'PROVIDER_KEY_MISSING' }))
  })

  test.each([{ apiKey: 'key' }, { baseUrl: 'https://localhost/v1' }, { headers: { authorization: 'Bearer t' } }])(
    'is not asked for with %j',
    (settings) => {
      expect(() => createEngine('openai', settings)).not.toThrow()
    },
  )
})
