import { messageOf } from '../errors.ts'
import { applyEvent } from '../events/apply.ts'
import type { InferenceContext, Middleware } from '../inference/engine.ts'
import { blockKinds } from '../turns/block.ts'
import type { Turn } from '../turns/turn.ts'

/** The part of a logger that is used; pino and bunyan have it. */
export interface Logger {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

/** Logs the start and the end of what it wraps, with every id; `run_id` is the session id under its old name. */
export function log(logger: Logger): Middleware {
  return (next) =>
    async function* (turn, context) {
      const ids = idFields(context)
      logger.info({ ...ids, block_count: turn.blocks.length }, 'turn: starting inference')
      let current = turn
      try {
        for await (const event of next(turn, context)) {
          current = applyEvent(current, event)
          yield event
        }
      } catch (error) {
        logger.error({ ...ids, ...blockCounts(current), error: messageOf(error) }, 'turn: inference failed')
        throw error
      }
      logger.info({ ...ids, ...blockCounts(current) }, 'turn: inference completed')
    }
}

function idFields(context: InferenceContext) {
  const { sessionId, inferenceId, turnId } = context.ids
  return { run_id: sessionId, session_id: sessionId, inference_id: inferenceId, turn_id: turnId }
}

function blockCounts(turn: Turn): Readonly<Record<string, number>> {
  const counts = blockKinds.map((kind) => [`${kind}_blocks`, turn.blocks.filter((block) => block.kind === kind).length])
  return { result_block_count: turn.blocks.length, ...(Object.fromEntries(counts) as Record<string, number>) } // kind → count
}
