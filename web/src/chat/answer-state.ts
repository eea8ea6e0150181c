import type { Entity, InferenceEntity } from 'geppetto/timeline'
import type { Tone } from '../design/badge.tsx'

/** How an answer is going, or how it ended, in words. Nothing for one that ended as it should. */
export interface AnswerState {
  readonly tone: Tone
  readonly text: string
  /** It goes on by itself. */
  readonly isLive: boolean
}

/** What is said of an answer: `made` is all that it consists of by now. */
export function answerState(inference: InferenceEntity, made: readonly Entity[]): AnswerState | undefined {
  const { status, reason, restarts, retries, error, result } = inference
  switch (status) {
    case 'queued':
      return restarts > 0 || made.some(({ kind }) => kind !== 'message' && kind !== 'inference')
        ? live('Waits for a server to go on', 'caution')
        : live('Queued', 'caution')
    case 'waiting':
      return live('Waits for you', 'caution')
    case 'running': {
      if (reason !== undefined) return live('Stopping')
      if (retries > 0 && !hasOutput(made)) return live(`Trying again, attempt ${retries + 1}`, 'caution')
      if (made.some(isStreaming)) return undefined
      return live(restarts > 0 ? 'Going on after a restart' : 'Working')
    }
    case 'stopped':
      return ended(`Stopped${reason === undefined ? '' : `: ${reason}`}`, 'neutral')
    case 'interrupted':
      return ended(`Interrupted${reason === undefined ? '' : `: ${reason}`}`, 'caution')
    case 'failed':
      return ended(error === undefined ? 'Failed' : `${error.message} (${error.code})`, 'negative')
    case 'finished':
      if (result?.truncated === true) return ended('Cut off at the limit of tokens', 'caution')
      return result?.finish_class === 'refusal' ? ended('The model declined', 'caution') : undefined
  }
}

function live(text: string, tone: Tone = 'accent'): AnswerState {
  return { text, tone, isLive: true }
}

function ended(text: string, tone: Tone): AnswerState {
  return { text, tone, isLive: false }
}

function isStreaming(entity: Entity): boolean {
  if (entity.kind === 'message' || entity.kind === 'reasoning') return entity.isStreaming
  return entity.kind === 'tool-call' && (entity.status === 'writing' || entity.status === 'running')
}

function hasOutput(made: readonly Entity[]): boolean {
  return made.some(
    (entity) => entity.kind === 'reasoning' || (entity.kind === 'message' && entity.role === 'assistant'),
  )
}

/** What an answer took, as `1,204 in · 350 out · 2.1 s · $0.0123`; empty when nothing is known. */
export function usageText({ result }: InferenceEntity): string {
  const { usage, cost, duration_ms: ms } = result ?? {}
  return [
    usage && `${usage.input_tokens.toLocaleString()} in`,
    usage && `${usage.output_tokens.toLocaleString()} out`,
    ms !== undefined && `${(ms / 1000).toFixed(1)} s`,
    cost !== undefined && costText(cost),
  ]
    .filter(Boolean)
    .join(' · ')
}

function costText(dollars: number): string {
  return dollars === 0 ? '$0' : `$${dollars < 0.01 ? dollars.toPrecision(2) : dollars.toFixed(2)}`
}
