import { expect, test } from 'vitest'
import { outline, project, weather } from '../../../test/support/anthropic-requests.ts'
import { validateAnthropicRequest } from '../../../test/support/validate-anthropic.ts'
import type { JsonObject } from '../../json.ts'
import { assistantText, systemText, toolCall, toolResult, userText } from '../../turns/block.ts'
import { anthropicServerToolsKey } from '../../turns/keys.ts'
import { createTurn } from '../../turns/turn.ts'

const mark = { type: 'ephemeral' }
const turn = createTurn([
  systemText('Be brief.'),
  userText('One'),
  assistantText('1'),
  userText('Two'),
  assistantText('2'),
  userText('Three'),
])
const marks = (body: JsonObject) => JSON.stringify(body).split('"cache_control"').length - 1
const marked = (text: string) => JSON.stringify({ type: 'text', text, cache_control: mark })

test('tools, system and the last two user messages are kept', () => {
  const { body } = project(turn, { promptCache: 'short' }, [weather])
  expect(body['tools']).toMatchObject([{ name: 'weather', cache_control: mark }])
  expect(body['system']).toEqual([{ type: 'text', text: 'Be brief.', cache_control: mark }])
  expect(outline(body)).toEqual([
    'user "One"',
    'assistant "1"',
    `user ${marked('Two')}`,
    'assistant "2"',
    `user ${marked('Three')}`,
  ])
})

test.each([
  ['none', 0, 0],
  ['short', 4, 0],
  ['long', 4, 4],
] as const)('%s makes %i marks, %i of them for an hour', (promptCache, all, long) => {
  const { body } = project(turn, { promptCache }, [weather])
  expect([marks(body), JSON.stringify(body).split('"ttl":"1h"').length - 1]).toEqual([all, long])
})

test('neither an empty result nor what stands in for a message is marked', () => {
  const loop = createTurn([userText('Hi'), toolCall('a', 'weather', {}), toolResult('a', ''), assistantText('Well.')])
  const { body } = project(loop, { promptCache: 'short' }, [weather])
  expect(outline(body)).toEqual([
    `user ${marked('Hi')}`,
    'assistant a: weather({})',
    'user a = undefined',
    'assistant "Well."',
    'user "Continue."',
  ])
})

test('there is room for the marks that the caller brings, and no longer life behind a shorter one', () => {
  const own = [1, 2].map((at) => ({ type: 'web_search_20250305', name: `search_${at}`, cache_control: mark }))
  const { body } = project(anthropicServerToolsKey.set(turn, own), { promptCache: 'long' }, [weather])
  expect(marks(body)).toBe(4)
  expect(validateAnthropicRequest(body)).toEqual([])
})
