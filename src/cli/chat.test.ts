import { expect, test } from 'vitest'
import { readChatLine, type ChatLine } from './chat.ts'

const lines: readonly (readonly [line: string, said: ChatLine | undefined])[] = [
  ['Hello there ', { prompt: 'Hello there ' }],
  ['  ', undefined],
  ['/save my file.yaml ', { command: 'save', argument: 'my file.yaml' }],
  ['/exit', { command: 'exit', argument: '' }],
  ['/', { command: '', argument: '' }],
  ['//exit is a word', { prompt: '/exit is a word' }],
]
test.each(lines)('the line %j is read', (line, said) => {
  expect(readChatLine(line)).toEqual(said)
})
