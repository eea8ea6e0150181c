import { describe, expect, test } from 'vitest'
import { eventEngine, providerCallFinished, testIds, textReply, toolReply } from '../../test/support/event-engine.ts'
import { answersOf, echo, finishRun, promptTurn, startRun, testTool, typesOf } from '../../test/support/runs.ts'
import { collect } from '../../test/support/values.ts'
import type { EngineEvent } from '../events/event.ts'
import { toolCall, userText } from '../turns/block.ts'
import { inferenceResultKey, toolConfigKey, toolDefinitionsKey } from '../turns/keys.ts'
import { append, blocksOf } from '../turns/turn.ts'
import type { FinishClass } from '../turns/values.ts'
import { editTurn, stack } from './engine.ts'
import { toolLoop } from './tool-loop.ts'

describe('one run', () => {
  test('calls the model, then the tool, then the model again, and ends with its text', async () => {
    const engine = eventEngine(toolReply(['c1', 'echo', { a: 1 }]), textReply('Done.'))
    const { events, turn } = await finishRun(toolLoop(engine, [echo]))
    expect(typesOf(events)).toEqual([
      'inference-started',
      'turn-edited',
      'phase-reached',
      'provider-call-started',
      'tool-call-requested',
      'provider-call-finished',
      'phase-reached',
      'tool-execution-started',
      'tool-result-ready',
      'tool-call-finished',
      'phase-reached',
      'phase-reached',
      'provider-call-started',
      'text-segment-started',
      'text-delta',
      'text-segment-finished',
      'provider-call-finished',
      'phase-reached',
      'inference-finished',
    ])
    expect(turn.blocks.map((block) => block.kind)).toEqual(['user', 'tool_call', 'tool_use', 'llm_text'])
    expect(answersOf(turn)).toEqual([['c1', { a: 1 }]])
    expect(inferenceResultKey.get(turn)?.finish_class).toBe('completed')
  })

  test('reaches each phase in order, with its iteration and the turn as it stands', async () => {
    const seen: (readonly [string, number])[] = []
    const engine = eventEngine(toolReply(['c1', 'echo']), textReply('Done.'))
    const { inference } = startRun(toolLoop(engine, [echo]), {
      onSnapshot: (turn, phase) => seen.push([phase, turn.blocks.length]),
    })
    const events = await collect(inference)
    expect(seen).toEqual([
      ['pre_inference', 1],
      ['post_inference', 2],
      ['post_tools', 3],
      ['pre_inference', 3],
      ['post_inference', 4],
      ['final', 4],
    ])
    const iterations = events.flatMap((event) => (event.type === 'phase-reached' ? [event.iteration] : []))
    expect(iterations).toEqual([0, 0, 0, 1, 1])
  })

  test('puts the ids of the run and of the call on every event of a tool', async () => {
    const { events } = await finishRun(toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo]))
    const call = events.find((event) => event.type === 'provider-call-started')
    const ofTool = events.filter((event) => /^tool-/.test(event.type))
    expect(ofTool).toHaveLength(4)
    for (const event of ofTool) {
      expect(event).toMatchObject({ ...testIds, toolCallId: 'c1', attempt: 1, providerCallId: call?.providerCallId })
    }
  })

  test('shows the engine the turn that the facts so far make', async () => {
    const engine = eventEngine(toolReply(['c1', 'echo', { a: 1 }]), toolReply(['c2', 'echo']), textReply('Done.'))
    const { turn } = await finishRun(toolLoop(engine, [echo]))
    const shown = engine.requests.map((request) => request.turn)
    expect(shown.map((each) => each.blocks.length)).toEqual([1, 3, 5])
    expect(shown[2]?.blocks.map(({ kind, payload }) => ({ kind, payload }))).toEqual(
      turn.blocks.slice(0, 5).map(({ kind, payload }) => ({ kind, payload })),
    )
    expect(shown[2]?.data).toEqual(turn.data)
  })

  test('shows a middleware inside of it each model call, and its edit says by whom from then on', async () => {
    const note = { kind: 'system', payload: { text: 'Be brief.' } } as const
    const once = editTurn('brief', (turn) =>
      turn.blocks.some((b) => b.metadata?.['geppetto.middleware@v1'] === 'brief') ? turn : append(turn, note),
    )
    const engine = eventEngine(toolReply(['c1', 'echo']), textReply('Done.'))
    const { turn } = await finishRun(toolLoop(stack(engine, once), [echo]))
    expect(blocksOf(turn, 'system')).toMatchObject([{ ...note, metadata: { 'geppetto.middleware@v1': 'brief' } }])
  })

  test('fails with LOOP_LIMIT when the model never stops to ask, and keeps what was done', async () => {
    const engine = eventEngine(toolReply(['c1', 'echo']), toolReply(['c2', 'echo']), toolReply(['c3', 'echo']))
    const { events, turn, inference } = await finishRun(toolLoop(engine, [echo], { maxIterations: 2 }))
    await expect(inference.result).rejects.toMatchObject({
      code: 'LOOP_LIMIT',
      message: expect.stringContaining('max iterations (2) reached'),
    })
    expect(engine.requests).toHaveLength(2)
    expect(answersOf(turn).map(([id]) => id)).toEqual(['c1', 'c2'])
    expect(events.at(-1)).toMatchObject({ type: 'inference-failed', error: { code: 'LOOP_LIMIT' } })
  })
})

describe('what is offered', () => {
  const tools = [testTool('zeta', () => 1), testTool('Alpha', () => 2), testTool('beta', () => 3)]

  test('is told to the engine by name, and written into the turn', async () => {
    const engine = eventEngine(textReply('Done.'))
    const { turn } = await finishRun(toolLoop(engine, tools))
    expect(engine.requests[0]?.context.tools.map(({ name }) => name)).toEqual(['Alpha', 'beta', 'zeta'])
    expect(toolDefinitionsKey.get(turn)?.[0]).toEqual({
      name: 'Alpha',
      description: 'Does Alpha.',
      parameters: { type: 'object' },
    })
    expect(toolConfigKey.get(turn)).toEqual({
      enabled: true,
      tool_choice: 'auto',
      max_iterations: 20,
      execution_timeout: '30s',
      max_parallel_tools: 3,
      tool_error_handling: 'continue',
      retry_config: { max_retries: 2, backoff_base: '1s', backoff_factor: 2 },
    })
    expect(JSON.parse(JSON.stringify(turn))).toEqual(turn)
  })

  test('is written again only when it differs', async () => {
    const first = await finishRun(toolLoop(eventEngine(textReply('Done.')), tools))
    const same = await finishRun(toolLoop(eventEngine(textReply('Done.')), tools.toReversed()), { turn: first.turn })
    const other = await finishRun(toolLoop(eventEngine(textReply('Done.')), tools.slice(1)), { turn: first.turn })
    expect(
      [first, same, other].map(({ events }) => typesOf(events).filter((type) => type === 'turn-edited').length),
    ).toEqual([1, 0, 1])
    expect(toolDefinitionsKey.get(other.turn)?.map(({ name }) => name)).toEqual(['Alpha', 'beta'])
  })

  test('is the live tools alone: definitions in a turn offer nothing', async () => {
    const { turn } = await finishRun(toolLoop(eventEngine(textReply('Done.')), tools))
    const engine = eventEngine(textReply('Done.'))
    await finishRun(engine, { turn })
    expect(engine.requests[0]?.context.tools).toEqual([])
  })

  test('is narrowed by the allow-list', async () => {
    const engine = eventEngine(textReply('Done.'))
    await finishRun(toolLoop(engine, tools, { allowedTools: ['beta', 'nobody'] }))
    expect(engine.requests[0]?.context.tools.map(({ name }) => name)).toEqual(['beta'])
  })

  test('must be called on the first model call only, when it must', async () => {
    const engine = eventEngine(toolReply(['c1', 'echo']), toolReply(['c2', 'echo']), textReply('Done.'))
    const loop = toolLoop(engine, [echo], { toolChoice: 'required' })
    const { turn } = await finishRun(loop)
    const choices = engine.requests.map((request) => toolConfigKey.get(request.turn)?.tool_choice)
    expect(choices).toEqual(['required', 'auto', 'auto'])
    const next = eventEngine(textReply('Done.'))
    await finishRun(toolLoop(next, [echo], { toolChoice: 'required' }), { turn })
    expect(toolConfigKey.get(next.requests[0]?.turn ?? promptTurn)?.tool_choice).toBe('required')
  })

  test.each([
    ['two tools of one name', [echo, echo], {}, 'TOOL_INVALID'],
    ['a tool that no provider takes', [{ ...echo, name: 'no good' }], {}, 'TOOL_INVALID'],
    ['no iterations', [echo], { maxIterations: 0 }, 'SETTINGS_INVALID'],
    ['half a tool at once', [echo], { maxParallel: 0.5 }, 'SETTINGS_INVALID'],
    ['time without end', [echo], { timeoutMs: Number.POSITIVE_INFINITY }, 'SETTINGS_INVALID'],
  ] as const)('%s is refused at once', (_what, offered, options, code) => {
    expect(() => toolLoop(eventEngine(), offered, options)).toThrow(expect.objectContaining({ code }))
  })
})

describe('calls that are executed', () => {
  test('are those of this run: one that an earlier run left is not', async () => {
    const left = append(promptTurn, toolCall('old', 'echo', {}), userText('Go on'))
    const { turn } = await finishRun(toolLoop(eventEngine(toolReply(['c1', 'echo']), textReply('Done.')), [echo]), {
      turn: left,
    })
    expect(answersOf(turn).map(([id]) => id)).toEqual(['c1'])
  })

  test('are executed once for each id of a reply, and again when a later reply uses the id again', async () => {
    const engine = eventEngine(
      toolReply(['c1', 'echo', { n: 1 }], ['c1', 'echo', { n: 2 }]),
      toolReply(['c1', 'echo', { n: 3 }]),
      textReply('Done.'),
    )
    expect(answersOf((await finishRun(toolLoop(engine, [echo]))).turn)).toEqual([
      ['c1', { n: 1 }],
      ['c1', { n: 3 }],
    ])
  })

  test('are not those of an attempt that was discarded', async () => {
    const discarded: EngineEvent = {
      type: 'attempt-discarded',
      error: { code: 'PROVIDER_OVERLOADED', message: 'later' },
      blocks: 1,
      retryInMs: 0,
    }
    const engine = eventEngine(
      [...toolReply(['c1', 'echo']).slice(0, -1), discarded, ...toolReply(['c2', 'echo'])],
      textReply('Done.'),
    )
    const { turn } = await finishRun(toolLoop(engine, [echo]))
    expect(turn.blocks.map((block) => block.kind)).toEqual(['user', 'tool_call', 'tool_use', 'llm_text'])
    expect(answersOf(turn)).toEqual([['c2', {}]])
  })

  test('are not those that the engine has answered', async () => {
    const answered: EngineEvent = {
      type: 'tool-result-ready',
      toolCallId: 'c1',
      toolName: 'echo',
      status: 'error',
      block: { kind: 'tool_use', payload: { id: 'c1', error: 'denied' } },
    }
    const engine = eventEngine([...toolReply(['c1', 'echo'], ['c2', 'echo']), answered], textReply('Done.'))
    expect(answersOf((await finishRun(toolLoop(engine, [echo]))).turn)).toEqual([
      ['c1', 'denied'],
      ['c2', {}],
    ])
  })

  test.each<readonly [FinishClass, boolean]>([
    ['tool_calls_pending', true],
    ['completed', true],
    ['unknown', true],
    ['max_tokens', true],
    ['refusal', false],
    ['error', false],
    ['interrupted', false],
  ])('after a reply that ended as %s: %s', async (finishClass, isExecuted) => {
    const reply = [...toolReply(['c1', 'echo']).slice(0, -1), providerCallFinished(1, finishClass)]
    const { turn, status } = await finishRun(toolLoop(eventEngine(reply, textReply('Done.')), [echo]))
    expect(answersOf(turn)).toHaveLength(isExecuted ? 1 : 0)
    expect(status).toBe('finished')
  })
})
