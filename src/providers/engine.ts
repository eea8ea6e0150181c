import { sleep } from '../clock.ts'
import { isGeppettoError, messageOf } from '../errors.ts'
import { applyEvent } from '../events/apply.ts'
import { sha256Hex } from '../sha256.ts'
import type { Engine } from '../inference/engine.ts'
import type { ModelEngine } from './model-engine.ts'
import { callSettings } from '../inference/settings.ts'
import { ProviderError } from './error.ts'
import type { CallOutcome, Protocol } from './protocol.ts'
import type { ProviderSettings, RetryPolicy } from './provider-settings.ts'
import { isReplyBlock, Reply } from './reply.ts'

/** How often a provider may ask for the same turn again before the reply counts as incomplete. */
const maxContinuations = 5

/** The engine for one provider: one call of the model for each run, with what `protocol` says and how. */
export function providerEngine(protocol: Protocol, settings: ProviderSettings): ModelEngine {
  const engine: Engine = async function* (input, context) {
    let turn = input
    const call = callSettings(turn, settings)
    for (const message of call.warnings) yield { type: 'log', level: 'warn', message }
    for (let continuation = 0; ; continuation += 1) {
      const request = protocol.project(turn, call, context.tools)
      const body = JSON.stringify(request.body)
      const requestHash = sha256Hex(body)
      if (continuation === 0)
        for (const message of request.warnings ?? []) yield { type: 'log', level: 'warn', message }
      let outcome: CallOutcome | undefined
      for (let attempt = 1; outcome === undefined; attempt += 1) {
        const reply = new Reply(protocol, settings, call, context)
        yield { type: 'provider-call-started', provider: protocol.name, model: call.model, requestHash }
        if (attempt === 1 && request.repairs.length > 0) yield { type: 'request-projected', repairs: request.repairs }
        try {
          await reply.open(request, body)
          // One flat loop: a generator inside of this one would cost every token another hop.
          for (let events = await reply.next(); events !== undefined; events = await reply.next()) {
            for (const event of events) {
              if (isReplyBlock(event)) turn = applyEvent(turn, event)
              yield event
            }
            reply.throwIfBroken()
            if (reply.isComplete) break
          }
          for (const event of reply.end()) {
            if (isReplyBlock(event)) turn = applyEvent(turn, event)
            yield event
          }
          reply.throwIfBroken()
          outcome = reply.outcome
          const finished = {
            type: 'provider-call-finished' as const,
            ...reply.conclude(outcome, continuation < maxContinuations),
          }
          turn = applyEvent(turn, finished) // what goes on must see how its beginning ended
          yield finished
        } catch (error) {
          const failure = reply.failure(error)
          const delayMs = retryDelay(failure, attempt, reply.hasOutput, settings.retry ?? {})
          if (delayMs === undefined) throw failure
          outcome = undefined
          turn = { ...turn, blocks: turn.blocks.slice(0, turn.blocks.length - reply.blocks) }
          yield {
            type: 'attempt-discarded',
            error: { code: isGeppettoError(failure) ? failure.code : 'INTERNAL', message: messageOf(failure) },
            blocks: reply.blocks,
            retryInMs: delayMs,
          }
          await sleep(context.clock, delayMs, context.signal)
        } finally {
          await reply.close()
        }
      }
      if (outcome.continues !== true || continuation >= maxContinuations) return
    }
  }
  const project: ModelEngine['project'] = (turn, tools) => {
    const { body, repairs } = protocol.project(turn, callSettings(turn, settings), tools)
    return { body, repairs }
  }
  return Object.assign(engine, { project })
}

/** How long to wait before the next attempt; undefined when there is to be none. */
function retryDelay(error: unknown, attempt: number, hasOutput: boolean, policy: RetryPolicy): number | undefined {
  const { maxAttempts = 3, baseDelayMs = 500, maxDelayMs = 30_000, discardOutput = false } = policy
  if (!(error instanceof ProviderError) || !error.details.retryable) return undefined
  if (attempt >= maxAttempts || (hasOutput && !discardOutput)) return undefined
  const delayMs = error.details.retryAfterMs ?? Math.min(baseDelayMs * 2 ** (attempt - 1), maxDelayMs)
  return delayMs > maxDelayMs ? undefined : delayMs
}
