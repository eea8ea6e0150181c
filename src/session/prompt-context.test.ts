import { expect, test } from 'vitest'
import { MemoryStore } from '../store/memory-store.ts'
import { applyTimeline, emptyTimeline, entitiesOf } from '../timeline/timeline.ts'
import { assistantText, systemText, toolCall, toolResult, userText } from '../turns/block.ts'
import { inferenceConfigKey } from '../turns/keys.ts'
import { eventEngine, textReply } from '../../test/support/event-engine.ts'
import { readLog } from './past.ts'
import { StoredSession } from './stored-session.ts'

const texts = (blocks: readonly { readonly kind: string; readonly payload: object }[]) =>
  blocks.map(({ kind, payload }) => ('text' in payload ? `${kind} ${String(payload.text)}` : kind))

test('a prompt brings blocks along that stand around it, and inputs that it sets or takes away', async () => {
  const store = new MemoryStore()
  const engine = eventEngine(textReply('one'), textReply('two'))
  const session = await StoredSession.open(store, 's', { engine })
  const config = { temperature: 0.5 }
  await (
    await session.submit('And now?', {
      before: [systemText('Be brief.'), userText('Hello'), assistantText('Hi')],
      after: [toolCall('c1', 'look', {}), toolResult('c1', 'nothing')],
      data: { [inferenceConfigKey.id]: config },
    })
  ).result
  await (
    await session.submit('Go on', { data: { [inferenceConfigKey.id]: null } })
  ).result
  const [first, second] = engine.requests.map(({ turn }) => turn)
  expect(texts(first?.blocks ?? [])).toEqual([
    'system Be brief.',
    'user Hello',
    'llm_text Hi',
    'user And now?',
    'tool_call',
    'tool_use',
  ])
  expect(first && inferenceConfigKey.get(first)).toEqual(config)
  expect(texts(second?.blocks ?? []).slice(-2)).toEqual(['llm_text one', 'user Go on'])
  expect(second && inferenceConfigKey.get(second)).toBeUndefined()

  let timeline = emptyTimeline()
  for await (const event of readLog(store, 's', 0)) timeline = applyTimeline(timeline, event)
  const said = entitiesOf(timeline).flatMap((entity) => (entity.kind === 'message' ? entity.text : []))
  expect(said).toEqual(['Hello', 'Hi', 'And now?', 'one', 'Go on', 'two'])
  expect(entitiesOf(timeline).filter(({ kind }) => kind === 'tool-call')).toHaveLength(1)
  await session.close()
})

test('a prompt that is to follow a turn is refused when another one came after that', async () => {
  const session = await StoredSession.open(new MemoryStore(), 's', {
    engine: eventEngine(textReply('one'), textReply('two')),
  })
  const first = await session.submit('1')
  const second = await session.submit('2', { follows: first.turnId })
  await expect(session.submit('3', { follows: first.turnId })).rejects.toMatchObject({ code: 'SESSION_BUSY' })
  await second.result
  await session.close()
})
