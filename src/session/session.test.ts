import { describe, expect, test } from 'vitest'
import { eventEngine, textReply, toolReply, untilAborted, type EventEngine } from '../../test/support/event-engine.ts'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import { echo } from '../../test/support/runs.ts'
import { collect, countingIds, deepFreeze } from '../../test/support/values.ts'
import { isTerminal, type InferenceEvent } from '../events/event.ts'
import { editTurn, stack, viewTurn, type Engine } from '../inference/engine.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { systemText, userText } from '../turns/block.ts'
import { agentModeKey, inferenceIdKey, inferenceResultKey, middlewareKey, sessionIdKey } from '../turns/keys.ts'
import { append, createTurn, prepend } from '../turns/turn.ts'
import { Session, type SessionOptions } from './session.ts'

function sessionOf(engine: Engine, options: Partial<SessionOptions> = {}): Session {
  return new Session({ engine, id: 'session-1', clock: new FakeClock(), newId: countingIds(), ...options })
}
const replies = (count: number): EventEngine => eventEngine(...Array.from({ length: count }, () => textReply('Done.')))

describe('a session’s id', () => {
  test('is made when it is not given, and no two are the same', () => {
    const ids = [1, 2].map(() => new Session({ engine: eventEngine() }).id)
    expect(new Set(ids).size).toBe(2)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/)
  })

  test.each(['', '  '])('cannot be %j', (id) => {
    expect(() => sessionOf(eventEngine(), { id })).toThrow(
      expect.objectContaining({
        code: 'SESSION_ID_EMPTY',
        message: expect.stringMatching(/^session has empty SessionID/),
      }),
    )
  })
})

describe('what a session refuses', () => {
  test('is an inference without a turn, or with an empty one', () => {
    const session = sessionOf(eventEngine())
    const empty = expect.objectContaining({
      name: 'SessionEmptyTurnError',
      code: 'SESSION_EMPTY_TURN',
      message: expect.stringMatching(/^session has no seed turn \(or seed turn is empty\)/),
    })
    expect(() => session.startInference()).toThrow(empty)
    const turn = session.append(createTurn())
    expect(() => session.startInference()).toThrow(empty)
    expect(session.latest).toBe(turn)
    expect(inferenceIdKey.get(turn)).toBeUndefined()
    expect(session.active).toBeUndefined()
  })

  test('is a second inference, a prompt or a turn while one runs', async () => {
    const session = sessionOf(eventEngine([untilAborted]))
    session.prompt('Hello')
    const inference = session.startInference()
    const busy = expect.objectContaining({
      name: 'SessionBusyError',
      code: 'SESSION_BUSY',
      message: expect.stringMatching(/^session already has an active inference/),
      details: { sessionId: 'session-1', inferenceId: inference.id },
    })
    expect(() => session.startInference()).toThrow(busy)
    expect(() => session.prompt('Another')).toThrow(busy)
    expect(() => session.append(createTurn())).toThrow(busy)
    expect(session.turns).toHaveLength(1)
    inference.cancel()
    await collect(inference)
  })

  test('is a busy session before an empty one', async () => {
    const session = sessionOf(
      eventEngine([{ type: 'turn-edited', by: 'x', edit: (turn) => ({ ...turn, blocks: [] }) }, untilAborted]),
    )
    session.prompt('Hello')
    const inference = session.startInference()
    await settle()
    expect(inference.turn.blocks).toEqual([])
    expect(() => session.startInference()).toThrow(expect.objectContaining({ code: 'SESSION_BUSY' }))
    inference.cancel()
    await collect(inference)
  })

  test('is a cancel when nothing runs', () => {
    expect(() => sessionOf(eventEngine()).cancelActive()).toThrow(
      expect.objectContaining({
        code: 'SESSION_NOT_ACTIVE',
        message: expect.stringMatching(/^session has no active inference/),
      }),
    )
  })
})

describe('a turn that a session takes in', () => {
  test('gets what it lacks: an id, and the session’s', () => {
    const turn = sessionOf(eventEngine()).append(deepFreeze(createTurn([userText('Hello')])))
    expect([turn.id, sessionIdKey.get(turn)]).toEqual(['id-1', 'session-1'])
  })

  test('keeps what it has', () => {
    const named = deepFreeze(sessionIdKey.set(createTurn([userText('Hello')], 'turn-a'), 'elsewhere'))
    const session = sessionOf(eventEngine())
    expect(session.append(named)).toBe(named)
    expect(session.latest).toBe(named)
  })

  test('belongs to the session as soon as it runs', async () => {
    const session = sessionOf(replies(1))
    session.append(sessionIdKey.set(createTurn([userText('Hello')], 'turn-a'), 'elsewhere'))
    const turn = await session.startInference().result
    expect([turn.id, sessionIdKey.get(turn)]).toEqual(['turn-a', 'session-1'])
  })
})

describe('a prompt', () => {
  test('starts a new turn of the old context and one user block, and leaves the old turn alone', async () => {
    const session = sessionOf(replies(2))
    session.append(deepFreeze(agentModeKey.set(createTurn([systemText('Be brief.')]), 'review')))
    session.prompt('Hello')
    const first = deepFreeze(await session.startInference().result)
    const second = session.prompt('And now?')
    expect(second.blocks.map((block) => block.kind)).toEqual(['system', 'user', 'llm_text', 'user'])
    expect(second.blocks.slice(0, 3)).toEqual(first.blocks)
    expect(new Set(session.turns.map((turn) => turn.id)).size).toBe(3)
    expect(agentModeKey.get(second)).toBe('review')
    expect([inferenceIdKey.get(second), inferenceResultKey.get(second)]).toEqual([undefined, undefined])
    await session.startInference().result
    expect(session.turns[1]).toBe(first)
  })

  test('without text or images adds no block, and a turn all the same', () => {
    const session = sessionOf(eventEngine())
    session.prompt('Hello')
    const turn = session.prompt('')
    expect([session.turns.length, turn.blocks.length]).toEqual([2, 1])
    expect(session.prompt('', [{ url: 'https://example.com/a.png' }]).blocks).toHaveLength(2)
  })
})

describe('an inference of a session', () => {
  test('makes its result the latest turn, under the id of the turn that it began with', async () => {
    const session = sessionOf(replies(1))
    const { id } = session.prompt('Hello')
    const inference = session.startInference()
    expect([session.active, session.latest]).toEqual([inference, inference.input])
    const turn = await inference.result
    expect(session.latest).toBe(turn)
    expect(session.turns).toHaveLength(1)
    expect([turn.id, sessionIdKey.get(turn), inferenceIdKey.get(turn)]).toEqual([id, 'session-1', inference.id])
  })

  test('has an id of its own, on every event of all its model calls; the log goes on without a gap', async () => {
    const events: InferenceEvent[] = []
    const engine = eventEngine(
      toolReply(['c1', 'echo']),
      toolReply(['c2', 'echo']),
      textReply('Done.'),
      textReply('Again.'),
    )
    const session = sessionOf(toolLoop(engine, [echo]), { sinks: [(event) => void events.push(event)] })
    session.prompt('Hello')
    await session.startInference().result
    session.prompt('Again')
    await session.startInference().result
    const byInference = Map.groupBy(events, (event) => event.inferenceId)
    expect(byInference.size).toBe(2)
    for (const [index, ofOne] of [...byInference.values()].entries()) {
      const ids = { sessionId: 'session-1', turnId: session.turns[index]?.id }
      expect(ofOne.filter((event) => event.sessionId === ids.sessionId && event.turnId === ids.turnId)).toEqual(ofOne)
      expect(ofOne.filter(isTerminal)).toEqual([ofOne.at(-1)])
    }
    expect(events.map((event) => event.ordinal)).toEqual(events.map((_event, index) => index + 1))
  })

  test('can be started again on the same turn, with another id', async () => {
    const session = sessionOf(replies(2))
    session.prompt('Hello')
    const first = session.startInference()
    await first.result
    const second = session.startInference()
    const turn = await second.result
    expect(second.id).not.toBe(first.id)
    expect([session.turns.length, inferenceIdKey.get(turn)]).toEqual([1, second.id])
  })

  test('that is cancelled rejects, keeps what it said, and frees the session', async () => {
    const engine = eventEngine([...textReply('Hello').slice(0, 3), untilAborted], textReply('Done.'))
    const session = sessionOf(engine)
    session.prompt('Hello')
    const inference = session.startInference()
    await settle()
    session.cancelActive('enough')
    await expect(inference.result).rejects.toMatchObject({ code: 'INFERENCE_CANCELLED' })
    expect(session.active).toBeUndefined()
    expect(session.latest?.blocks.at(-1)).toMatchObject({ kind: 'llm_text', payload: { text: 'Hello' } })
    expect(() => session.cancelActive()).toThrow(expect.objectContaining({ code: 'SESSION_NOT_ACTIVE' }))
    session.prompt('Once more')
    await session.startInference().result
  })

  test('that fails keeps what it said, and frees the session', async () => {
    const session = sessionOf(eventEngine([...textReply('Hello'), new Error('broken')], textReply('Done.')))
    session.prompt('Hello')
    await expect(session.startInference().result).rejects.toThrow('broken')
    expect(session.latest?.blocks).toHaveLength(2)
    await session.startInference().result
  })

  test('is cancelled by the signal that it was started with', async () => {
    const session = sessionOf(eventEngine([untilAborted]))
    session.prompt('Hello')
    const inference = session.startInference({ signal: AbortSignal.abort(new Error('too late')) })
    expect((await collect(inference)).at(-1)).toMatchObject({ type: 'inference-stopped', reason: 'too late' })
  })

  test('has freed its session when its result is known: a thousand times', async () => {
    const rounds = 1000
    const session = sessionOf(replies(rounds + 1))
    session.append(createTurn([userText('Hello')]))
    for (let round = 0; round < rounds; round += 1) {
      await session.startInference().result
      const next = session.startInference()
      expect(session.active).toBe(next)
      next.cancel()
      await collect(next)
      expect(session.active).toBeUndefined()
    }
  })

  test('has freed its session when its terminal event is seen', async () => {
    const idle: boolean[] = []
    const session = sessionOf(replies(1), {
      sinks: [(event) => void (isTerminal(event) && idle.push(session.active === undefined))],
    })
    session.prompt('Hello')
    for await (const event of session.startInference()) if (isTerminal(event)) idle.push(session.active === undefined)
    expect(idle).toEqual([true, true])
  })

  test('hands its turn to the store and the phases to the snapshot hook', async () => {
    const stored: unknown[] = []
    const phases: string[] = []
    const session = sessionOf(toolLoop(replies(1), [echo]), {
      persist: (turn) => void stored.push(turn),
      onSnapshot: (_turn, phase) => void phases.push(phase),
    })
    session.prompt('Hello')
    expect(stored).toEqual([])
    expect([await session.startInference().result]).toEqual(stored)
    expect(phases).toEqual(['pre_inference', 'post_inference', 'final'])
  })
})

describe('a middleware', () => {
  test('that edits the turn edits it for good: its block is in the next turn, says by whom, and is not added again', async () => {
    const brief = editTurn('brief', (turn) =>
      turn.blocks[0]?.kind === 'system' ? turn : prepend(turn, systemText('Be brief.')),
    )
    const session = sessionOf(stack(replies(2), brief))
    session.prompt('Hello')
    await session.startInference().result
    expect(session.latest?.blocks.map((block) => block.kind)).toEqual(['system', 'user', 'llm_text'])
    const next = session.prompt('And now?')
    expect(next.blocks[0] && middlewareKey.get(next.blocks[0])).toBe('brief')
    const turn = await session.startInference().result
    expect(turn.blocks.map((block) => block.kind)).toEqual(['system', 'user', 'llm_text', 'user', 'llm_text'])
  })

  test('that only views the turn leaves nothing in it', async () => {
    const session = sessionOf(
      stack(
        replies(1),
        viewTurn((turn) => append(turn, userText('(Be brief.)'))),
      ),
    )
    session.prompt('Hello')
    await session.startInference().result
    expect(session.latest?.blocks.map((block) => block.payload)).toEqual([{ text: 'Hello' }, { text: 'Done.' }])
  })
})
