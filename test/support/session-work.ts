import type { EngineEvent } from '../../src/events/event.ts'
import type { Engine } from '../../src/inference/engine.ts'
import { toolLoop } from '../../src/inference/tool-loop.ts'
import { defineTool, jsonSchemaInput, type Tool } from '../../src/inference/tool.ts'
import { readTurn } from '../../src/store/block-log.ts'
import { encodeEvent } from '../../src/events/codec.ts'
import { fromEntry } from '../../src/store/entry.ts'
import type { Store } from '../../src/store/store.ts'
import { assistantText, toolCall } from '../../src/turns/block.ts'
import type { Effect, History } from './history.ts'

/** What happens between two tokens and inside a tool: a place to wait, to fail or to die. */
export type Pause = (where: string) => Promise<void>

const kinds = ['none', 'read', 'idempotent'] as const

/**
 * An engine that asks for a tool of each kind when a person spoke last and says something when not; `onEffect` hears of
 * each start of a tool, from inside of it.
 */
export function workingEngine(onEffect: (effect: Effect) => void, pause: Pause = async () => {}): Engine {
  const tools = kinds.map((effect): Tool =>
    defineTool({
      name: `tool_${effect}`,
      description: 'Does something.',
      input: jsonSchemaInput({ type: 'object' }),
      ...(effect !== 'none' && { effect }),
      async execute(_input, { ids, idempotencyKey }) {
        const { inferenceId, toolCallId } = ids
        onEffect({ tool: `tool_${effect}`, effect, inferenceId, toolCallId, idempotencyKey })
        await pause(`tool_${effect}`)
        return { done: effect }
      },
    }),
  )
  return toolLoop(model(pause), tools, { maxParallel: 2 })
}

function model(pause: Pause): Engine {
  return async function* (turn): AsyncIterable<EngineEvent> {
    yield { type: 'provider-call-started', provider: 'test', model: 'test-1' }
    yield { type: 'text-segment-started', segmentId: '0' }
    yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hel' }
    await pause('reply')
    yield { type: 'text-delta', segmentId: '0', offset: 3, delta: 'lo' }
    yield { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hello') }
    const asks = turn.blocks.findLast(({ kind }) => kind !== 'system')?.kind === 'user'
    for (const kind of asks ? kinds : []) {
      const toolCallId = `call-${kind}`
      yield { type: 'tool-call-requested', toolCallId, block: toolCall(toolCallId, `tool_${kind}`, { kind }) }
    }
    const finishClass = asks ? 'tool_calls_pending' : 'completed'
    const blocks = asks ? 1 + kinds.length : 1
    yield { type: 'provider-call-finished', finishClass, result: { finish_class: finishClass }, blocks }
  }
}

/** What a store holds of a session, for the checker. */
export async function historyOf(store: Store, sessionId: string, isHealed: boolean): Promise<History> {
  const entries = await store.read(sessionId, { after: 0, limit: 1_000_000, maxChars: 1e9 })
  const snapshots = await Promise.all(
    (await store.snapshots(sessionId)).map(async (snapshot) => ({
      turnId: snapshot.turnId,
      ordinal: snapshot.ordinal,
      turn: await readTurn(store, sessionId, snapshot),
    })),
  )
  return { events: entries.map((entry) => encodeEvent(fromEntry(sessionId, entry))), snapshots, isHealed }
}
