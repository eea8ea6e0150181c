import type { ProjectionRepair } from '../events/event.ts'
import type { Engine, ToolSpec } from '../inference/engine.ts'
import type { JsonObject } from '../json.ts'
import type { Turn } from '../turns/turn.ts'

/**
 * An engine that asks one model, and can say what it would send for a turn: the body of the request, byte for byte, and
 * what was changed so that the provider accepts it. Nothing is sent.
 */
export type ModelEngine = Engine & {
  project(
    turn: Turn,
    tools: readonly ToolSpec[],
  ): { readonly body: JsonObject; readonly repairs: readonly ProjectionRepair[] }
}

/** Whether the engine can say what it would send. */
export function canProject(engine: Engine): engine is ModelEngine {
  return 'project' in engine && typeof engine.project === 'function'
}
