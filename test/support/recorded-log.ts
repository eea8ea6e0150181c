import type { InferenceEvent, UnknownEvent } from '../../src/events/event.ts'
import { readLog } from '../../src/session/past.ts'
import { calculator } from '../../src/inference/builtin-tools.ts'
import { stack, type Engine, type Middleware } from '../../src/inference/engine.ts'
import { toolLoop } from '../../src/inference/tool-loop.ts'
import { systemPrompt } from '../../src/middleware/system-prompt.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { StoredSession } from '../../src/session/stored-session.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { FakeClock } from './fake-clock.ts'
import { collect, countingIds } from './values.ts'

export interface RecordOptions {
  readonly model?: Engine
  readonly middleware?: readonly Middleware[]
  readonly prompts?: readonly string[]
}

/** The log of a session that was asked these things, one after the other; time stands still in it. */
export async function recordLog({
  model = scripted({ pace: 0 }),
  middleware = [systemPrompt('Be brief.')],
  prompts = ['What is 17 * 23?'],
}: RecordOptions = {}): Promise<readonly (InferenceEvent | UnknownEvent)[]> {
  const engine = toolLoop(stack(model, ...middleware), [calculator])
  const options = { engine, clock: new FakeClock(), newId: countingIds() }
  const store = new MemoryStore()
  const session = await StoredSession.open(store, 's', options)
  for (const prompt of prompts) await (await session.submit(prompt)).result
  await session.close()
  return collect(readLog(store, 's', 0))
}
