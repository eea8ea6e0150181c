import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runToEnd } from '../../test/support/replies.ts'
import { stack, type Engine } from '../inference/engine.ts'
import { assistantText, systemText, toolCall, toolResult, userText, type Block } from '../turns/block.ts'
import { middlewareKey } from '../turns/keys.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import { log } from './log.ts'
import { systemPrompt } from './system-prompt.ts'
import { toolResultOrder } from './tool-result-order.ts'

/** An engine that says one word and remembers the turn that it saw. */
function listener() {
  const seen: Turn[] = []
  const engine: Engine = async function* (turn) {
    seen.push(turn)
    yield { type: 'text-segment-finished', segmentId: 'a', block: assistantText('Yes.') }
  }
  return { engine, seen }
}

const texts = (turn: Turn | undefined) =>
  turn?.blocks.map((block) => ('text' in block.payload ? block.payload.text : ''))

describe('systemPrompt', () => {
  test.each<[string, Block[], string[]]>([
    ['a turn without one gets one', [userText('Hi')], ['Be brief.', 'Hi']],
    ['another one is replaced', [systemText('Old'), userText('Hi')], ['Be brief.', 'Hi']],
    ['its own stays', [systemText('Be brief.'), userText('Hi')], ['Be brief.', 'Hi']],
    [
      'only the first system block is the prompt',
      [systemText('Old'), systemText('Rules'), userText('Hi')],
      ['Be brief.', 'Rules', 'Hi'],
    ],
  ])('%s', async (_name, blocks, expected) => {
    const { engine, seen } = listener()
    const once = await runToEnd(stack(engine, systemPrompt('Be brief.')), createTurn(blocks))
    expect(texts(seen[0])).toEqual(expected)
    expect(texts(once.turn)).toEqual([...expected, 'Yes.'])
    const again = await runToEnd(stack(engine, systemPrompt('Be brief.')), once.turn)
    expect(again.events.some((event) => event.type === 'turn-edited')).toBe(false)
  })

  test('the block that it touched says so', async () => {
    const { turn } = await runToEnd(stack(listener().engine, systemPrompt('Be brief.')), createTurn([userText('Hi')]))
    expect(turn.blocks.map((block) => middlewareKey.get(block))).toEqual(['systemprompt', undefined, undefined])
  })

  test('an empty text leaves the turn alone', async () => {
    const { engine, seen } = listener()
    await runToEnd(stack(engine, systemPrompt('')), createTurn([userText('Hi')]))
    expect(texts(seen[0])).toEqual(['Hi'])
  })
})

describe('toolResultOrder', () => {
  const call = (id: string) => toolCall(id, 'look_up', {})
  const result = (id: string) => toolResult(id, id)
  const shape = (blocks: readonly Block[]) =>
    blocks.map((block) => `${block.kind[5] ?? block.kind}:${String('id' in block.payload ? block.payload.id : '')}`)

  test.each<[string, Block[], Block[]]>([
    [
      'results come directly behind their calls',
      [call('1'), call('2'), userText('x'), result('2'), result('1')],
      [call('1'), call('2'), result('1'), result('2'), userText('x')],
    ],
    ['what is in order stays', [call('1'), result('1'), userText('x')], [call('1'), result('1'), userText('x')]],
    [
      'an id that is used again keeps each result with its own call',
      [call('1'), userText('x'), result('1'), call('1'), result('1')],
      [call('1'), result('1'), userText('x'), call('1'), result('1')],
    ],
    ['a result without a call stays where it is', [result('9'), userText('x')], [result('9'), userText('x')]],
  ])('%s', async (_name, blocks, expected) => {
    const { engine, seen } = listener()
    await runToEnd(stack(engine, toolResultOrder()), createTurn(blocks))
    expect(shape(seen[0]?.blocks ?? [])).toEqual(shape(expected))
  })

  test('no block is added or lost, and doing it twice changes nothing', async () => {
    const block = fc.oneof(
      fc.constantFrom('1', '2', '3').map(call),
      fc.constantFrom('1', '2', '3').map(result),
      fc.constant(userText('x')).map((made) => ({ ...made })),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(block, { maxLength: 12 }), async (blocks) => {
        const { engine, seen } = listener()
        await runToEnd(stack(engine, toolResultOrder(), toolResultOrder()), createTurn(blocks))
        const once = seen[0]?.blocks ?? []
        expect(new Set(once)).toEqual(new Set(blocks))
        expect(once).toHaveLength(blocks.length)
        const second = listener()
        const { events } = await runToEnd(stack(second.engine, toolResultOrder()), createTurn(once))
        expect(events.filter((event) => event.type === 'turn-edited')).toEqual([])
      }),
    )
  })
})

describe('log', () => {
  function recorder() {
    const lines: { level: string; message: string; fields: Readonly<Record<string, unknown>> }[] = []
    const write = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) => {
      lines.push({ level, message, fields })
    }
    return { lines, logger: { info: write('info'), error: write('error') } }
  }
  const ids = { run_id: 's', session_id: 's', inference_id: 'i', turn_id: 't' }

  test('the start and the end are logged with all ids, the session id under both its names', async () => {
    const { lines, logger } = recorder()
    await runToEnd(stack(listener().engine, log(logger)), createTurn([userText('Hi')]))
    expect(lines).toEqual([
      { level: 'info', message: 'turn: starting inference', fields: { ...ids, block_count: 1 } },
      {
        level: 'info',
        message: 'turn: inference completed',
        fields: {
          ...ids,
          result_block_count: 2,
          user_blocks: 1,
          llm_text_blocks: 1,
          tool_call_blocks: 0,
          tool_use_blocks: 0,
          system_blocks: 0,
          reasoning_blocks: 0,
          other_blocks: 0,
        },
      },
    ])
  })

  test('a failure is logged with its sentence and passed on', async () => {
    const { lines, logger } = recorder()
    // oxlint-disable-next-line require-yield -- it fails before it yields
    const failing: Engine = async function* () {
      throw new Error('no luck')
    }
    const { error } = await runToEnd(stack(failing, log(logger)), createTurn([userText('Hi')]))
    expect(error).toEqual(new Error('no luck'))
    expect(lines.at(-1)).toMatchObject({
      level: 'error',
      message: 'turn: inference failed',
      fields: { ...ids, error: 'no luck' },
    })
  })
})
