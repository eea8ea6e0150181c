import { describe, expect, test } from 'vitest'
import { recordLog } from '../../../../test/support/recorded-log.ts'
import { calculator } from '../../../../src/inference/builtin-tools.ts'
import { editTurn, type ToolSpec } from '../../../../src/inference/engine.ts'
import { systemPrompt } from '../../../../src/middleware/system-prompt.ts'
import { callSettings, type CallSettings } from '../../../../src/inference/settings.ts'
import type { Json } from '../../../../src/json.ts'
import { toRequest as anthropicRequest } from '../../../../src/providers/anthropic/request.ts'
import { toRequest as geminiRequest } from '../../../../src/providers/gemini/request.ts'
import { toRequest as openaiResponsesRequest } from '../../../../src/providers/openai-responses/request.ts'
import { toRequest as chatRequest } from '../../../../src/providers/openai/request.ts'
import { vendorOf } from '../../../../src/providers/openai/vendors.ts'
import type { ProviderRequest } from '../../../../src/providers/protocol.ts'
import { encodeBlock } from '../../../../src/turns/encode.ts'
import type { Turn } from '../../../../src/turns/turn.ts'
import type { LogEvent } from './log.ts'
import { cacheSteps, piecesOf, type SentRequest } from './prompt-cache.ts'
import { recordTurns } from './recorded-turns.ts'

/** What a request of a log says, by default its blocks as they are. */
type Project = (turn: Turn) => Json
const blocksAlone: Project = ({ blocks }) => ({
  model: 'test-1',
  blocks: blocks.map(({ metadata: _metadata, ...block }) => encodeBlock(block)),
})

function requestsOf(events: readonly LogEvent[], project = blocksAlone): readonly SentRequest[] {
  return recordTurns(events).flatMap(({ states, inferenceIds }) =>
    states
      .filter(({ phase }) => phase === 'as_sent')
      .map(({ ordinal, turn }) => ({
        ordinal,
        inferenceId: inferenceIds[0] ?? '',
        providerCallId: `call-${ordinal}`,
        attempt: 1,
        provider: 'test',
        model: 'test-1',
        body: project(turn),
        isExact: true,
        repairs: [],
      })),
  )
}

const openaiRequest = (turn: Turn, settings: CallSettings, tools: readonly ToolSpec[]): ProviderRequest =>
  chatRequest(vendorOf('https://api.openai.com/v1', 'm'), turn, settings, tools)

describe('the prompt cache', () => {
  test('a conversation that only goes on keeps its whole beginning', async () => {
    const events = await recordLog({ prompts: ['What is 17 * 23?', 'Say hello'] })
    const steps = cacheSteps(requestsOf(events), recordTurns(events))
    expect(steps.map(({ step }) => [step.stablePieces, step.pieces, step.broken])).toEqual([
      [0, 3, undefined],
      [3, 6, undefined],
      [6, 9, undefined],
    ])
  })

  test.each([
    ['openai', openaiRequest],
    ['openai-responses', openaiResponsesRequest],
    ['anthropic', anthropicRequest],
    ['gemini', geminiRequest],
  ])('of %s is whole while a conversation goes on, and broken where it does not', async (_name, toRequest) => {
    const body: Project = (turn) => toRequest(turn, callSettings(turn, { model: 'm' }), [calculator]).body
    const events = await recordLog({ prompts: ['What is 17 * 23?', 'Say hello', 'Say goodbye'] })
    const goingOn = cacheSteps(requestsOf(events, body), recordTurns(events)).slice(1)
    expect(goingOn.map(({ step }) => step.broken)).toEqual([undefined, undefined, undefined])
    for (const { step } of goingOn) expect(step.stablePieces).toBeGreaterThan(1)

    const shout = editTurn('shout', (turn) => {
      const [first, ...rest] = turn.blocks
      if (first?.kind !== 'system' || rest.length < 3) return turn
      return { ...turn, blocks: [{ ...first, payload: { text: 'BE BRIEF.' } }, ...rest] }
    })
    const shouted = await recordLog({ middleware: [systemPrompt('Be brief.'), shout], prompts: ['Say one', 'Say two'] })
    const [, second] = cacheSteps(requestsOf(shouted, body), recordTurns(shouted))
    expect(second?.step.broken?.before).toContain('Be brief.')
    expect(second?.step.broken?.block).toMatchObject({ index: 0, by: { by: 'shout', act: 'changed' } })
  })

  test('a middleware that writes the time into the prompt is named, with the block', async () => {
    let minute = 0
    const clock = editTurn('clock', (turn) => ({
      ...turn,
      blocks: turn.blocks.map((block) =>
        block.kind === 'system' ? { ...block, payload: { text: `Be brief. Minute ${minute}` } } : block,
      ),
    }))
    const middleware = [systemPrompt('Be brief.'), clock]
    const counting = editTurn('count', (turn) => {
      minute += 0.5 // an edit is asked twice: whether it changes something, and what
      return turn
    })
    const events = await recordLog({ middleware: [counting, ...middleware], prompts: ['Say one', 'Say two'] })
    const [, second] = cacheSteps(requestsOf(events), recordTurns(events))
    expect(second?.step).toMatchObject({
      stablePieces: 1,
      broken: { place: 'blocks[0]', block: { index: 0, by: { by: 'clock', act: 'changed' } } },
    })
  })

  test('a message that got another part goes on', () => {
    const part = (text: string) => ({ type: 'text', text })
    const body = (...texts: readonly string[]) => ({ messages: [{ role: 'user', content: texts.map(part) }] })
    const [first, second] = [piecesOf(body('one')), piecesOf(body('one', 'two'))]
    expect(second.slice(0, 1)).toEqual(first)
    expect(second.map(({ place }) => place)).toEqual(['messages[0].content[0]', 'messages[0].content[1]'])
  })

  test('a middleware that drops a block is named', async () => {
    const drop = editTurn('trim-history', (turn) => {
      const at = turn.blocks.findIndex(({ kind }) => kind === 'user')
      const isLong = turn.blocks.filter(({ kind }) => kind === 'user').length > 1
      return isLong ? { ...turn, blocks: turn.blocks.toSpliced(at, 1) } : turn
    })
    const events = await recordLog({ middleware: [systemPrompt('Be brief.'), drop], prompts: ['Say one', 'Say two'] })
    const [, second] = cacheSteps(requestsOf(events), recordTurns(events))
    expect(second?.step.broken).toMatchObject({
      place: 'blocks[1]',
      block: { index: 1, by: { by: 'trim-history', act: 'removed' } },
    })
  })

  test('pieces come in the order in which providers read them, without marks of what to keep', () => {
    const body = {
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } }] }],
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
      temperature: 1,
      model: 'm',
    }
    expect(piecesOf(body)).toEqual([
      { place: 'model', text: '"m"' },
      { place: 'system[0]', text: '{"text":"Be brief.","type":"text"}' },
      { place: 'messages[0].content[0]', text: '{"content":[{"text":"Hi","type":"text"}],"role":"user"}' },
    ])
  })
})
