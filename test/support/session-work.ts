import type { EngineEvent } from '../../src/events/event.ts'
import type { Engine } from '../../src/inference/engine.ts'
import { toolLoop } from '../../src/inference/tool-loop.ts'
import { defineTool, jsonSchemaInput, type ClientTool, type Tool } from '../../src/inference/tool.ts'
import { readTurn } from '../../src/store/block-log.ts'
import { encodeEvent } from '../../src/events/codec.ts'
import { fromEntry } from '../../src/store/entry.ts'
import type { Store } from '../../src/store/store.ts'
import { assistantText, toolCall } from '../../src/turns/block.ts'
import type { Effect, History } from './history.ts'

/** What happens between two tokens and inside a tool: a place to wait, to fail or to die. */
export type Pause = (where: string) => Promise<void>

/**
 * What a tool says of its effect; a `guarded` one says nothing, and wants to be allowed first; a `deadly` one may be done
 * again, and kills its process each time; a `client` one is run by who answers its approval.
 */
export type ToolKind = Effect['effect'] | 'guarded' | 'deadly' | 'client'
const kinds = ['none', 'read', 'idempotent'] as const

/**
 * An engine that asks for tools when a person spoke last, by default one of each kind, and says something when not;
 * `onEffect` hears of each start of a tool, from inside of it.
 */
export function workingEngine(
  onEffect: (effect: Effect) => void,
  pause: Pause = async () => {},
  asksFor: (prompt: string) => readonly ToolKind[] = () => kinds,
): Engine {
  const tools = [...kinds, 'guarded' as const, 'deadly' as const].map((kind): Tool => {
    const effect = kind === 'guarded' ? 'none' : kind === 'deadly' ? 'idempotent' : kind
    return defineTool({
      name: `tool_${kind}`,
      description: 'Does something.',
      input: jsonSchemaInput({ type: 'object' }),
      ...(effect !== 'none' && { effect }),
      ...(kind === 'guarded' && { needsApproval: () => true }),
      async execute(_input, { ids, idempotencyKey }) {
        const { inferenceId, toolCallId } = ids
        onEffect({ tool: `tool_${kind}`, effect, inferenceId, toolCallId, idempotencyKey })
        if (kind === 'deadly') process.kill(process.pid, 'SIGKILL')
        await pause(`tool_${kind}`)
        return { done: kind }
      },
    })
  })
  const client: ClientTool = {
    name: 'tool_client',
    description: 'Is done elsewhere.',
    input: jsonSchemaInput({ type: 'object' }),
    runsOn: 'client',
  }
  return toolLoop(model(pause, asksFor), [...tools, client], { maxParallel: 2 })
}

function model(pause: Pause, asksFor: (prompt: string) => readonly ToolKind[]): Engine {
  return async function* (turn): AsyncIterable<EngineEvent> {
    yield { type: 'provider-call-started', provider: 'test', model: 'test-1' }
    yield { type: 'text-segment-started', segmentId: '0' }
    yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hel' }
    await pause('reply')
    yield { type: 'text-delta', segmentId: '0', offset: 3, delta: 'lo' }
    yield { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hello') }
    const last = turn.blocks.findLast(({ kind }) => kind !== 'system')
    const asked = last?.kind === 'user' ? asksFor(last.payload.text ?? '') : []
    for (const kind of asked) {
      const toolCallId = `call-${kind}`
      yield { type: 'tool-call-requested', toolCallId, block: toolCall(toolCallId, `tool_${kind}`, { kind }) }
    }
    const finishClass = asked.length > 0 ? 'tool_calls_pending' : 'completed'
    const blocks = 1 + asked.length
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
