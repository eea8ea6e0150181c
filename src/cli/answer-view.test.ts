import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { EngineEvent } from '../events/event.ts'
import { Stamper } from '../inference/stamp.ts'
import { assistantText } from '../turns/block.ts'
import { createTurn } from '../turns/turn.ts'
import { FakeClock } from '../../test/support/fake-clock.ts'
import { countingIds } from '../../test/support/values.ts'
import { AnswerView } from './answer-view.ts'

/** What a person sees who watches both streams at once, with `^` before what came on standard error. */
function watch(events: readonly EngineEvent[], isTerminal: boolean): string {
  let seen = ''
  const stream = (mark: string) => {
    const written = Object.assign(new PassThrough(), { isTTY: isTerminal })
    written.on('data', (chunk: Buffer) => {
      seen += mark + chunk.toString()
    })
    return written
  }
  const io = { env: { NO_COLOR: '1', TERM: 'dumb' }, stdin: new PassThrough(), stdout: stream(''), stderr: stream('^') }
  const view = new AnswerView(io, {})
  const ids = { sessionId: 's', inferenceId: 'i', turnId: 't' }
  const stamper = new Stamper(ids, new FakeClock(), countingIds(), () => 1)
  for (const event of events) view.show(stamper.stamp(event, createTurn()))
  view.end()
  return seen
}

const say = (segmentId: string, ...deltas: readonly string[]): readonly EngineEvent[] => [
  { type: 'text-segment-started', segmentId },
  ...deltas.map((delta): EngineEvent => ({ type: 'text-delta', segmentId, offset: 0, delta })),
]
const end = (segmentId: string, text: string): EngineEvent => ({
  type: 'text-segment-finished',
  segmentId,
  block: assistantText(text),
})
const citation: EngineEvent = { type: 'citation', url: 'https://example.com' }

test('a note waits for the end of the line on the terminal that it shares with the answer', () => {
  const events = [...say('a', 'One', ' two'), citation, ...say('a', ' three'), end('a', 'One two three'), citation]
  const note = '^--- Citation: https://example.com^\n'
  expect(watch(events, true)).toBe(`One two three\n${note}${note}`)
})

test('away from a terminal there are no notes but warnings', () => {
  const warning: EngineEvent = { type: 'log', level: 'warn', message: 'temperature left out' }
  expect(watch([citation, warning, ...say('a', 'One')], false)).toBe('^geppetto: warning: temperature left out\nOne\n')
})

test('segments stand apart by a blank line, and one that never streamed is shown as a whole', () => {
  const events = [...say('a', 'One'), end('a', 'One'), ...say('b', 'Two\n'), end('b', 'Two\n'), end('c', 'Three')]
  expect(watch(events, false)).toBe('One\n\nTwo\n\nThree\n')
})
