import type { Clock } from '../../src/clock.ts'
import type { Cassette } from '../../src/cassette/cassette.ts'
import { recordCassette, type RecordOptions } from '../../src/cassette/record.ts'
import { replayCassette } from '../../src/cassette/replay.ts'
import { eventToJsonLine } from '../../src/events/codec.ts'
import type { Engine } from '../../src/inference/engine.ts'
import { Session } from '../../src/session/session.ts'
import { turnToJson } from '../../src/turns/document.ts'
import { countingIds } from './values.ts'

/** A clock that jumps to the next timer as soon as the program rests, a little further with every look. */
function hastyClock(): Clock {
  let ms = Date.UTC(2026, 0, 1)
  return {
    now: () => (ms += 1),
    monotonic: () => (ms += 1) - Date.UTC(2026, 0, 1),
    schedule(wait, run) {
      // Long waits are watchdogs: they never come.
      if (wait > 10_000) return () => {}
      const timer = setImmediate(() => {
        ms += wait
        run()
      })
      return () => clearImmediate(timer)
    },
  }
}

/** What a run shows: its events as bytes, its turn, its error. */
export interface Shown {
  readonly events: string
  readonly turn: string
  readonly error: unknown
}

/** Prompts a session once for each of `prompts` and gives what it showed. */
export async function converse(
  engine: (cassette: Cassette) => Engine,
  cassette: Cassette,
  prompts: readonly string[] = ['Go'],
  onEvent: (type: string, cancel: (reason: string) => void) => void = () => {},
): Promise<Shown> {
  const { clock, newId } = cassette
  const session = new Session({ engine: engine(cassette), clock, newId })
  cassette.onCommand((command) => {
    if (command.kind === 'cancel') session.active?.cancel(command.reason)
  })
  let events = ''
  let error: unknown
  for (const prompt of prompts) {
    session.prompt(prompt)
    const inference = session.startInference({})
    for await (const event of inference) {
      events += eventToJsonLine(event)
      onEvent(event.type, (reason) => inference.cancel(reason))
    }
    await inference.result.catch((failure: unknown) => {
      error = failure
    })
  }
  return { events, turn: session.latest === undefined ? '' : turnToJson(session.latest), error }
}

export function recorder(options: RecordOptions = {}) {
  return recordCassette({ clock: hastyClock(), newId: countingIds(), ...options })
}

/** Records a conversation and replays it. */
export async function recordAndReplay(
  engine: (cassette: Cassette) => Engine,
  options: RecordOptions = {},
  prompts?: readonly string[],
) {
  const recording = recorder(options)
  const recorded = await converse(engine, recording, prompts)
  const text = recording.text()
  const player = replayCassette(text)
  const replayed = await converse(engine, player, prompts)
  await player.finish()
  return { recorded, replayed, text }
}
