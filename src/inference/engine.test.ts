import { expect, test } from 'vitest'
import { eventEngine, testContext, textReply } from '../../test/support/event-engine.ts'
import { finishRun, promptTurn, typesOf } from '../../test/support/runs.ts'
import { collect } from '../../test/support/values.ts'
import { systemText } from '../turns/block.ts'
import { prepend, type Turn } from '../turns/turn.ts'
import { editTurn, stack, viewTurn, watchTurn, type Engine, type Middleware } from './engine.ts'

function sayAround(name: string): Middleware {
  return (next) =>
    async function* (turn, context) {
      yield { type: 'info', message: `${name} before` }
      yield* next(turn, context)
      yield { type: 'info', message: `${name} after` }
    }
}

async function messagesOf(engine: Engine): Promise<readonly string[]> {
  const events = await collect(engine(promptTurn, testContext()))
  return events.flatMap((event) => (event.type === 'info' ? [event.message] : []))
}

test('the first middleware of a stack is the outermost', async () => {
  const engine = stack(eventEngine([]), sayAround('first'), sayAround('second'))
  expect(await messagesOf(engine)).toEqual(['first before', 'second before', 'second after', 'first after'])
})

test('a stack of nothing is the engine', () => {
  const engine = eventEngine()
  expect(stack(engine)).toBe(engine)
})

test('an edit that changes nothing is no event', async () => {
  const engine = eventEngine(textReply('Done.'))
  const { events } = await finishRun(
    stack(
      engine,
      editTurn('idle', (turn) => turn),
    ),
  )
  expect(typesOf(events)).not.toContain('turn-edited')
  expect(engine.requests[0]?.turn.blocks).toEqual(promptTurn.blocks)
})

test('a view is what the model sees, and leaves nothing behind', async () => {
  const engine = eventEngine(textReply('Done.'))
  const { turn } = await finishRun(
    stack(
      engine,
      viewTurn((shown) => prepend(shown, systemText('Be brief.'))),
    ),
  )
  expect(engine.requests[0]?.turn.blocks.map((block) => block.kind)).toEqual(['system', 'user'])
  expect(turn.blocks.map((block) => block.kind)).toEqual(['user', 'llm_text'])
})

test('a watcher is given the turn after each event that changed it, and every event goes on', async () => {
  const turns: Turn[] = []
  const reply = textReply('Done.')
  const engine = eventEngine(reply)
  const events = await collect(watchTurn(promptTurn, engine(promptTurn, testContext()), (turn) => turns.push(turn)))
  expect(events).toEqual(reply)
  expect(turns.map((turn) => turn.blocks.length)).toEqual([2, 2])
})
