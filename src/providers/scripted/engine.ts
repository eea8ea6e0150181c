import { sleep } from '../../clock.ts'
import { GeppettoError } from '../../errors.ts'
import type { EngineEvent } from '../../events/event.ts'
import type { Engine, InferenceContext } from '../../inference/engine.ts'
import { finishClass, isTruncated } from '../../inference/result.ts'
import { tryParseJson, type Json } from '../../json.ts'
import { assistantText, reasoning, toolCall, type Block } from '../../turns/block.ts'
import { blocksOf, type Turn } from '../../turns/turn.ts'
import type { FinishClass, InferenceResult } from '../../turns/values.ts'
import { encodeBlock } from '../../turns/encode.ts'
import { ProviderError } from '../error.ts'
import type { ModelEngine } from '../model-engine.ts'
import { resultText } from '../tool-answers.ts'
import { defaultScript } from './default-script.ts'
import { firstMatch, situationOf, type Match } from './match.ts'
import { fillJson, fillText } from './placeholders.ts'
import { parseScript, type Rule, type Step } from './script.ts'

export interface ScriptedSettings {
  /** The name that it answers under. Default `scripted-1`. */
  readonly model?: string
  /** What it says, as YAML; see script.ts. Default: a script that shows what an engine can do. */
  readonly script?: string
  /** Tokens a second; 0 for no pause between them. Default 50. */
  readonly pace?: number
}

const provider = 'scripted'

/**
 * An engine that follows a script: no key, no network, the same answer to the same turn. It streams word by word, and
 * calls a tool only when it is on offer. Throws SCRIPT_INVALID and SETTINGS_INVALID for settings that cannot work.
 */
export function scripted(settings: ScriptedSettings = {}): ModelEngine {
  const { model = 'scripted-1', script = defaultScript, pace = 50 } = settings
  if (!Number.isFinite(pace) || pace < 0) {
    throw new GeppettoError(
      'SETTINGS_INVALID',
      `The pace of the scripted engine must be tokens a second from 0 up, not ${pace}.`,
    )
  }
  const rules = parseScript(script)
  const engine: Engine = async function* (turn, context) {
    yield { type: 'provider-call-started', provider, model }
    const reply = new Reply(turn, requireMatch(rules, turn, context), model, pace, context)
    yield* reply.play()
    yield reply.finished()
  }
  // It sends nothing: what its rules look at stands for the request.
  const project: ModelEngine['project'] = (turn, tools) => ({
    body: { model, blocks: turn.blocks.map(encodeBlock), tools: tools.map(({ name }) => name) },
    repairs: [],
  })
  return Object.assign(engine, { project })
}

function requireMatch(rules: readonly Rule[], turn: Turn, context: InferenceContext): Match {
  const situation = situationOf(turn, context.tools)
  const match = firstMatch(rules, situation)
  if (match !== undefined) return match
  const what = situation.answers.length > 0 ? 'a turn that ends with a tool result' : 'this prompt'
  throw new GeppettoError(
    'SCRIPT_INVALID',
    `The script of the scripted engine has no rule for ${what}; end it with a rule that always matches.`,
  )
}

/** One reply: what it has said, and how it ends. */
class Reply {
  readonly #turn: Turn
  readonly #match: Match
  readonly #model: string
  readonly #pace: number
  readonly #context: InferenceContext
  readonly #started: number
  #segments = 0
  #open: { readonly type: 'text' | 'reasoning'; readonly segmentId: string; text: string } | undefined
  readonly #blocks: Block[] = []

  constructor(turn: Turn, match: Match, model: string, pace: number, context: InferenceContext) {
    this.#turn = turn
    this.#match = match
    this.#model = model
    this.#pace = pace
    this.#context = context
    this.#started = context.clock.monotonic()
  }

  async *play(): AsyncIterable<EngineEvent> {
    for (const step of this.#match.rule.reply) yield* this.#step(step)
    yield* this.#closeSegment()
  }

  finished(): EngineEvent {
    const { stopReason = this.#has('tool_call') ? 'tool_calls' : 'stop' } = this.#match.rule
    const finish = this.#finishClass(stopReason)
    if (finish === 'completed' && this.#blocks.length === 0) {
      const message = `${this.#match.rule.label} of the script says nothing to this turn; give it words that it always has.`
      throw new ProviderError('PROVIDER_EMPTY_RESPONSE', message, { provider, retryable: false })
    }
    const output = this.#blocks.map(tokensOf).reduce(sum, 0)
    const reasoned = this.#blocks
      .filter((block) => block.kind === 'reasoning')
      .map(tokensOf)
      .reduce(sum, 0)
    const result: InferenceResult = {
      provider,
      model: this.#model,
      stop_reason: stopReason,
      finish_class: finish,
      truncated: isTruncated(stopReason),
      usage: {
        input_tokens: this.#turn.blocks.map(tokensOf).reduce(sum, 0),
        output_tokens: output,
        reasoning_tokens: reasoned,
      },
      duration_ms: Math.round(this.#context.clock.monotonic() - this.#started),
      extra: { usage_source: 'estimate' },
    }
    return { type: 'provider-call-finished', finishClass: finish, result, blocks: this.#blocks.length }
  }

  // Reasoning alone is no answer.
  #finishClass(stopReason: string): FinishClass {
    const finish = finishClass(stopReason, this.#has('tool_call'))
    return finish === 'completed' && this.#has('reasoning') && !this.#has('llm_text') ? 'incomplete' : finish
  }

  #has(kind: Block['kind']): boolean {
    return this.#blocks.some((block) => block.kind === kind)
  }

  async *#step(step: Step): AsyncIterable<EngineEvent> {
    const { lookup } = this.#match
    switch (step.type) {
      case 'text':
      case 'reasoning':
        return yield* this.#say(step.type, fillText(step.text, lookup))
      case 'tool_call':
        yield* this.#closeSegment()
        return yield* this.#callTool(fillText(step.name, lookup), fillJson(step.args, lookup))
      case 'pause':
        return await sleep(this.#context.clock, step.ms, this.#context.signal)
      case 'fail':
        throw new ProviderError(step.code, fillText(step.message, lookup), { provider, retryable: false })
    }
  }

  async *#say(type: 'text' | 'reasoning', text: string): AsyncIterable<EngineEvent> {
    if (text === '') return
    if (this.#open?.type !== type) yield* this.#closeSegment()
    if (this.#open === undefined) {
      const segmentId = String(this.#segments)
      this.#segments += 1
      this.#open = { type, segmentId, text: '' }
      yield type === 'text'
        ? { type: 'text-segment-started', segmentId }
        : { type: 'reasoning-segment-started', segmentId, source: 'thinking' }
    }
    const open = this.#open
    for (const delta of wordsOf(text)) {
      await this.#pause()
      yield { type: `${type}-delta`, segmentId: open.segmentId, offset: open.text.length, delta }
      open.text += delta
    }
  }

  *#closeSegment(): Iterable<EngineEvent> {
    if (this.#open === undefined) return
    const { type, segmentId, text } = this.#open
    this.#open = undefined
    if (type === 'text') {
      const block = assistantText(text)
      this.#blocks.push(block)
      yield { type: 'text-segment-finished', segmentId, block }
    } else {
      const block = reasoning({ text })
      this.#blocks.push(block)
      yield { type: 'reasoning-segment-finished', segmentId, block }
    }
  }

  // The id counts the calls of the turn, so that the same turn gives the same ids and no id twice.
  async *#callTool(toolName: string, given: Json): AsyncIterable<EngineEvent> {
    const before =
      blocksOf(this.#turn, 'tool_call').length + this.#blocks.filter(({ kind }) => kind === 'tool_call').length
    const toolCallId = `call_${before + 1}`
    const written = typeof given === 'string' ? given : JSON.stringify(given)
    yield { type: 'tool-call-started', toolCallId, toolName }
    let offset = 0
    for (const delta of wordsOf(written)) {
      await this.#pause()
      yield { type: 'tool-call-arguments-delta', toolCallId, offset, delta }
      offset += delta.length
    }
    const block = toolCall(toolCallId, toolName, tryParseJson(written) ?? written)
    this.#blocks.push(block)
    yield { type: 'tool-call-requested', toolCallId, block }
  }

  async #pause(): Promise<void> {
    const { clock, signal } = this.#context
    if (this.#pace > 0) await sleep(clock, 1000 / this.#pace, signal)
    else signal.throwIfAborted()
  }
}

/** The pieces that text is streamed in: a word with the space before it, long words cut, no character split. */
export function wordsOf(text: string): readonly string[] {
  return text.match(/\s*\S{1,16}|\s+$/gu) ?? []
}

// Four characters a token: the usual rule of thumb.
function tokensOf(block: Block): number {
  return Math.ceil(spokenText(block).length / 4)
}

function spokenText(block: Block): string {
  switch (block.kind) {
    case 'tool_call':
      return block.payload.name + JSON.stringify(block.payload.args)
    case 'tool_use':
      return resultText(block.payload)
    case 'other':
      return ''
    default:
      return block.payload.text ?? ''
  }
}

function sum(left: number, right: number): number {
  return left + right
}
