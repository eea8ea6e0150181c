import { expect, test } from 'vitest'
import { createTurn } from '../turns/turn.ts'
import { toolCall } from '../turns/block.ts'
import { inferenceResultKey } from '../turns/keys.ts'
import type { FinishClass } from '../turns/values.ts'
import { endNote } from './output.ts'

const notes: readonly (readonly [end: FinishClass, note: string | undefined])[] = [
  ['completed', undefined],
  ['unknown', undefined],
  ['tool_calls_pending', 'The model asks for tools that were not run: look, see. Offer built-in ones with --tool.'],
  ['max_tokens', 'The answer is cut off: the limit of tokens was reached.'],
  ['refusal', 'The model declined to answer.'],
  ['incomplete', 'The model ended without an answer.'],
]
test.each(notes)('of the end %s is said: %s', (end, note) => {
  const calls = [toolCall('a', 'look', {}), toolCall('b', 'see', {}), toolCall('c', 'look', {})]
  expect(endNote(inferenceResultKey.set(createTurn(calls), { finish_class: end }))).toBe(note)
})
