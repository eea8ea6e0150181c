import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../../test/support/fake-clock.ts'
import { runToEnd, type Outcome } from '../../../test/support/replies.ts'
import { countingIds } from '../../../test/support/values.ts'
import type { InferenceEvent } from '../../events/event.ts'
import { calculator, currentTime } from '../../inference/builtin-tools.ts'
import { run } from '../../inference/run.ts'
import { toolLoop } from '../../inference/tool-loop.ts'
import type { Tool } from '../../inference/tool.ts'
import { assistantText, toolCall, toolError, toolResult, userText, type Block } from '../../turns/block.ts'
import { inferenceResultKey, partialKey, toolConfigKey } from '../../turns/keys.ts'
import { answerText, blocksOf, createTurn } from '../../turns/turn.ts'
import { scripted, wordsOf } from './engine.ts'

const clock = new FakeClock(Date.UTC(2026, 0, 31, 12))
const tools: readonly Tool[] = [calculator, currentTime(clock)]

const builtIn = scripted({ pace: 0 })

function ask(prompt: string, offered: readonly Tool[] = []): Promise<Outcome> {
  return runToEnd(offered.length === 0 ? builtIn : toolLoop(builtIn, offered), createTurn([userText(prompt)]))
}

function play(script: string, ...blocks: readonly Block[]): Promise<Outcome> {
  return runToEnd(scripted({ pace: 0, script }), createTurn(blocks))
}

function typesOf(events: readonly InferenceEvent[]): readonly string[] {
  return events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1])
}

describe('the built-in script', () => {
  const answers: readonly (readonly [prompt: string, answer: string])[] = [
    ['Hello', 'Hello! I am'],
    ['What can you do?', '- What is 17 * 23?'],
    ['Thanks', 'You are welcome.'],
    ['   ', 'There was no text'],
    ['Show me a list', '- stream **text**'],
    ['Write some code', '```ts\nexport function greet(name: string): string {\n  return `Hello, ${name}!`\n}\n```'],
    ['A table, please', '| engine | key | network |\n| --- | --- | --- |'],
    ['Why is the sky blue?', 'You asked: Why is the sky blue?'],
    ['Think about puppets', 'You wrote:\n\nThink about puppets'],
    ['Puppets are nice.', 'You wrote: Puppets are nice.'],
    ['What is 17 * 23?', 'I have no calculator here'],
    ['What time is it?', 'I have no clock here'],
    ['The date 2024-01-15 is past.', 'You wrote: The date 2024-01-15 is past.'],
    ['Tell me in 3-4 words', 'You wrote: Tell me in 3-4 words'],
    ['call calculator {}', 'You wrote: call calculator {}'],
    ['x'.repeat(5000), `It begins:\n\n${'x'.repeat(400)}…`],
  ]
  test.each(answers)('answers %j in words', async (prompt, answer) => {
    const { turn, events } = await ask(prompt)
    expect(answerText(turn)).toContain(answer)
    expect(inferenceResultKey.get(turn)).toMatchObject({
      finish_class: 'completed',
      provider: 'scripted',
      model: 'scripted-1',
    })
    expect(events.filter((event) => event.type === 'provider-call-started')).toHaveLength(1)
  })

  const sums: readonly (readonly [prompt: string, answer: string])[] = [
    ['What is 17 * 23?', '17 * 23 = 391'],
    ['17*23', '17*23 = 391'],
    ['Please compute (2 + 3) * 4 ** 2 now.', '(2 + 3) * 4 ** 2 = 80'],
    ['what is 10-3?', '10-3 = 7'],
    ['How much is 17 times 23?', '17 * 23 = 391'],
    ['10 divided by 4', '10 / 4 = 2.5'],
    ['1 / 0', 'The tool calculator failed: The expression has no value'],
    ['call calculator {"expression": "6 * 7"}', '6 * 7 = 42'],
    ['call calculator {"wrong": 1}', 'The tool calculator failed'],
    ['call calculator {"expression": ', 'You wrote: call calculator'],
    ['What time is it?', 'It is Saturday, 31 January 2026 at 12:00:00 UTC.'],
    ['What time is it in Asia/Tokyo?', 'It is Saturday, 31 January 2026 at 21:00:00'],
  ]
  test.each(sums)('answers %j with the tools that are on offer', async (prompt, answer) => {
    expect(answerText((await ask(prompt, tools)).turn)).toContain(answer)
  })

  test('calls two tools at once', async () => {
    const { turn } = await ask('Compare the time in Europe/Paris and Asia/Tokyo', tools)
    expect(turn.blocks.map((block) => block.kind)).toEqual([
      'user',
      'llm_text',
      'tool_call',
      'tool_call',
      'tool_use',
      'tool_use',
      'llm_text',
    ])
    expect(blocksOf(turn, 'tool_call').map((call) => call.payload.id)).toEqual(['call_1', 'call_2'])
    expect(answerText(turn)).toMatch(/- current_time: .*13:00.*\n- current_time: .*21:00/)
  })

  test('knows a result by what any tool gave', async () => {
    const clockOnTheWall: Tool = { ...currentTime(clock), execute: () => ({ time: '12:00' }) }
    expect(answerText((await ask('What time is it?', [clockOnTheWall])).turn)).toContain('12:00')
  })

  test('repeats what it is told, to the letter', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => /^\S/u.test(text)),
        async (text) => {
          const { turn } = await ask(`say ${text}`)
          expect(answerText(turn)).toBe(text)
        },
      ),
    )
  })

  test('tells a long story of 300 words or more, after thinking about it', async () => {
    const { turn } = await ask('Tell me a long story.')
    expect(answerText(turn).split(/\s+/).length).toBeGreaterThanOrEqual(300)
    expect(turn.blocks.map((block) => block.kind)).toEqual(['user', 'reasoning', 'llm_text'])
  })

  test('answers any prompt, the same each time, without looking at it for long', async () => {
    const pieces = fc.constantFrom(
      '1',
      '(',
      ')',
      ' ',
      '-',
      '* ',
      'time ',
      'Europe/Paris',
      'long ',
      'story',
      'call ',
      '{',
      'say ',
      '\n',
      '😀',
      '\ud800',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 200 }), async (parts) => {
        const [first, second] = [await ask(parts.join('')), await ask(parts.join(''))]
        expect(first.error).toBeUndefined()
        expect(first).toEqual(second)
      }),
      { numRuns: 40 },
    )
    for (const part of ['1', '((', 'time ', 'time Europe/', 'long '])
      expect((await ask(part.repeat(100_000))).error).toBeUndefined()
  })
})

describe('the scripted engine', () => {
  test('yields a provider call with its segments and its result', async () => {
    const { events, turn } = await play(
      '[{reply: [{reasoning: One two.}, {text: Three}, {text: " four."}]}]',
      userText('12345678'),
    )
    expect(typesOf(events)).toEqual([
      'inference-started',
      'provider-call-started',
      'reasoning-segment-started',
      'reasoning-delta',
      'reasoning-segment-finished',
      'text-segment-started',
      'text-delta',
      'text-segment-finished',
      'provider-call-finished',
      'inference-finished',
    ])
    expect(events.flatMap((event) => (event.type === 'text-delta' ? [[event.offset, event.delta]] : []))).toEqual([
      [0, 'Three'],
      [5, ' four.'],
    ])
    expect(turn.blocks.slice(1).map((block) => block.payload)).toEqual([{ text: 'One two.' }, { text: 'Three four.' }])
    expect(inferenceResultKey.get(turn)).toMatchObject({
      stop_reason: 'stop',
      finish_class: 'completed',
      truncated: false,
      usage: { input_tokens: 2, output_tokens: 5, reasoning_tokens: 2 },
      extra: { usage_source: 'estimate' },
    })
  })

  test('calls a tool only when it is on offer, and says it as a provider does', async () => {
    const script =
      "[{reply: [{tool_call: {name: calculator, args: {expression: '1 + 1'}}}]}, {reply: [{text: No tool.}]}]"
    const context = (offered: readonly Tool[]) =>
      runToEnd(
        (turn, given) => scripted({ pace: 0, script })(turn, { ...given, tools: offered }),
        createTurn([userText('Hi')]),
      )
    expect(answerText((await context([])).turn)).toBe('No tool.')
    const { events, turn } = await context(tools)
    expect(typesOf(events).slice(2, -2)).toEqual([
      'tool-call-started',
      'tool-call-arguments-delta',
      'tool-call-requested',
    ])
    const deltas = events.flatMap((event) => (event.type === 'tool-call-arguments-delta' ? [event.delta] : []))
    expect(deltas.join('')).toBe('{"expression":"1 + 1"}')
    expect(turn.blocks.at(-1)).toMatchObject(toolCall('call_1', 'calculator', { expression: '1 + 1' }))
    expect(inferenceResultKey.get(turn)).toMatchObject({
      stop_reason: 'tool_calls',
      finish_class: 'tool_calls_pending',
    })
  })

  test('calls none when the turn forbids it', async () => {
    const turn = toolConfigKey.set(createTurn([userText('17 * 23')]), { enabled: true, tool_choice: 'none' })
    const outcome = await runToEnd((input, context) => builtIn(input, { ...context, tools }), turn)
    expect(answerText(outcome.turn)).toContain('I have no calculator')
  })

  test('counts the calls of the turn, so that no id comes twice', async () => {
    const turn = createTurn([
      userText('Hi'),
      toolCall('call_1', 'calculator', {}),
      toolResult('call_1', 2),
      assistantText('2'),
      userText('2 + 2'),
    ])
    const { turn: after } = await runToEnd(toolLoop(builtIn, tools), turn)
    expect(blocksOf(after, 'tool_call').map((call) => call.payload.id)).toEqual(['call_1', 'call_2'])
  })

  test('fills values in: of groups, of results and of the arguments that led to them', async () => {
    const script = `
- tool_result: true
  failed: true
  reply: [{text: '{{tool}} {{error}}'}]
- when: '(\\w+) (?<last>\\w+)?'
  tool_result: look
  reply: [{text: '{{1}} {{last}}: {{result.at.0}} {{args.where}} {{results}}'}]
- tool_result: true
  reply: [{text: '{{result}}'}]`
    const call = toolCall('c', 'look', { where: 'here' })
    const said = async (...blocks: readonly Block[]) =>
      answerText((await play(script, userText('a b'), ...blocks)).turn)
    expect(await said(call, toolResult('c', { at: [7] }))).toBe('a b: 7 here - look: {"at":[7]}')
    expect(await said(call, toolResult('c', { on: 1 }))).toBe('{"on":1}')
    expect(await said(call, toolError('c', 'dark'))).toBe('look dark')
    expect(await said(toolResult('gone', 'text'))).toBe('text')
  })

  test('fails as it is told to, and what came before stays cut off', async () => {
    const { turn, error } = await play(
      '[{reply: [{text: Half an}, {fail: {code: PROVIDER_OVERLOADED, message: Too much.}}]}]',
      userText('Hi'),
    )
    expect(error).toMatchObject({ code: 'PROVIDER_OVERLOADED', message: 'Too much.' })
    const last = turn.blocks.at(-1)
    expect(last && [last.payload, partialKey.get(last)]).toEqual([{ text: 'Half an' }, true])
  })

  const ends: readonly (readonly [script: string, end: object])[] = [
    ['[{reply: [{text: Cut}], stop_reason: max_tokens}]', { finish_class: 'max_tokens', truncated: true }],
    ['[{reply: [{text: No}], stop_reason: refusal}]', { finish_class: 'refusal' }],
    ['[{reply: [{reasoning: Hm}]}]', { finish_class: 'incomplete' }],
    ["[{reply: [{text: '{{prompt}}'}]}]", { finish_class: 'error', error: { code: 'PROVIDER_EMPTY_RESPONSE' } }],
    ['[{when: never, reply: [{text: a}]}]', { finish_class: 'error', error: { code: 'SCRIPT_INVALID' } }],
  ]
  test.each(ends)('ends as its script says: %s', async (script, end) => {
    expect(inferenceResultKey.get((await play(script, userText(''))).turn)).toMatchObject(end)
  })

  test('never answers a tool result with a rule that does not ask for one', async () => {
    const { error } = await play('[{reply: [{text: Again}]}]', userText('Hi'), toolResult('c', 1))
    expect(error).toMatchObject({
      code: 'SCRIPT_INVALID',
      message: expect.stringContaining('ends with a tool result') as string,
    })
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuses a pace of %d', (pace) => {
    expect(() => scripted({ pace })).toThrow(expect.objectContaining({ code: 'SETTINGS_INVALID' }))
  })
})

describe('time', () => {
  const ids = { sessionId: 's', inferenceId: 'i', turnId: 't' }
  function start(settings: Parameters<typeof scripted>[0]) {
    const time = new FakeClock()
    const inference = run(scripted(settings), createTurn([userText('Hi')]), { ids, clock: time, newId: countingIds() })
    const shown: string[] = []
    void (async () => {
      for await (const event of inference) if (event.type === 'text-delta') shown.push(event.delta)
    })()
    return { time, inference, shown }
  }

  test('goes by at 50 tokens a second', async () => {
    const { time, inference, shown } = start({ script: '[{reply: [{text: one two three}]}]' })
    await time.advance(19)
    expect(shown).toEqual([])
    await time.advance(21)
    expect(shown).toEqual(['one', ' two'])
    await time.advance(20)
    expect(inferenceResultKey.get(await inference.result)?.duration_ms).toBe(60)
  })

  test('stops at a pause, and a cancel ends both', async () => {
    const { time, inference, shown } = start({
      pace: 0,
      script: '[{reply: [{text: one}, {pause_ms: 500}, {text: " two"}]}]',
    })
    await time.advance(499)
    expect(shown).toEqual(['one'])
    inference.cancel()
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    await time.advance(1000)
    expect([time.pending, shown]).toEqual([0, ['one']])
    expect(answerText(inference.turn)).toBe('one')
  })
})

test('text is streamed in words, and all of it', () => {
  expect(wordsOf('One, two\n  three ')).toEqual(['One,', ' two', '\n  three', ' '])
  expect(wordsOf('x'.repeat(20))).toEqual(['x'.repeat(16), 'xxxx'])
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => wordsOf(text).join('') === text))
})
