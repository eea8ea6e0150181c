import {
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import type { ErrorInfo, EventOf, InferenceEvent, InferenceScope, TerminalEvent } from '../events/event.ts'
import type { Block } from '../turns/block.ts'
import type { InferenceResult, Usage } from '../turns/values.ts'
import { tokenCounts, type Measures } from './measures.ts'
import { messagesText } from './messages.ts'
import { attributesOf, providerName, type AttributeFacts, type Vintage } from './vintage.ts'

export interface Telemetry {
  readonly tracer: Tracer
  readonly measures: Measures
  readonly vintage: Vintage
  readonly hasContent: boolean
  parentOf(scope: InferenceScope): Context
}

interface OpenSpan {
  readonly span: Span
  readonly context: Context
  readonly startedMs: number
  /** What its metrics are broken down by. */
  readonly labels: Attributes
}

interface OpenCall extends OpenSpan {
  readonly output: Block[]
  lastChunkMs?: number
  usage?: Usage
}

/** What is known of how something ended: an error has a code, and a sentence that may quote what was said. */
type Ending = Partial<ErrorInfo>

/** The spans of one inference that have begun and not ended. Times are those of its events. */
export class OpenInference {
  readonly #telemetry: Telemetry
  readonly #ids: AttributeFacts
  readonly #agent: OpenSpan
  readonly #tools = new Map<string, OpenSpan>()
  #call: OpenCall | undefined
  #calls = 0
  #toolCalls = 0
  /** What came into the context since the model was last asked, kept only where content is wanted. */
  #input: Block[] = []

  constructor(telemetry: Telemetry, scope: InferenceScope, at: string) {
    const { sessionId, inferenceId, turnId } = scope
    this.#telemetry = telemetry
    this.#ids = { sessionId, conversationId: sessionId, inferenceId, turnId }
    const facts = { operation: 'invoke_agent' }
    this.#agent = this.#start('invoke_agent', SpanKind.INTERNAL, at, facts, facts, telemetry.parentOf(scope))
  }

  add(event: InferenceEvent): void {
    switch (event.type) {
      case 'turn-opened':
      case 'turn-edited':
        return this.#keepInput(event.delta.add)
      case 'inference-resumed':
        this.#set(this.#agent, { restarts: event.restarts })
        return this.#closeParts(event.at, interrupted)
      case 'provider-call-started':
        return this.#startCall(event)
      case 'provider-call-metadata-updated':
        if (this.#call !== undefined && event.usage !== undefined) this.#call.usage = event.usage
        return this.#chunk(event.at)
      case 'text-segment-started':
      case 'reasoning-segment-started':
      case 'tool-call-started':
      case 'text-delta':
      case 'reasoning-delta':
      case 'tool-call-arguments-delta':
        return this.#chunk(event.at)
      case 'text-segment-finished':
      case 'reasoning-segment-finished':
      case 'tool-call-requested':
      case 'block-received':
        if (this.#telemetry.hasContent) this.#call?.output.push(event.block)
        return
      case 'provider-call-finished':
        this.#endCall(event.at, event.result, errorOf(event.result))
        this.#input = []
        return
      case 'attempt-discarded':
        return this.#endCall(event.at, { finish_class: 'error' }, event.error)
      case 'tool-execution-started':
        return this.#startTool(event)
      case 'tool-result-ready':
        this.#endTool(event)
        return this.#keepInput([event.block])
      default:
    }
  }

  /** Ends everything. Nothing of this inference may follow. */
  end(event: TerminalEvent): void {
    const ending = endingOf(event)
    this.#closeParts(event.at, ending)
    this.#set(this.#agent, endFacts(event.result))
    this.#close(this.#agent, event.at, ending)
    const { measures } = this.#telemetry
    measures.record('agentCalls', this.#calls, this.#agent.labels, this.#agent.context)
    measures.record('agentToolCalls', this.#toolCalls, this.#agent.labels, this.#agent.context)
    this.#measureDuration('agentDuration', this.#agent, event.at, ending)
  }

  /** Ends the spans of an inference that goes on elsewhere, or whose end nobody will hear of. */
  giveUp(at: string, ending: Ending): void {
    this.#closeParts(at, ending)
    this.#close(this.#agent, at, ending)
  }

  #startCall(event: EventOf<'provider-call-started'>): void {
    if (this.#call !== undefined) this.#endCall(event.at, { finish_class: 'unknown' }, {})
    const provider = providerName(event.provider)
    const facts = { operation: 'chat', provider, requestModel: event.model }
    const about = { ...facts, providerCallId: event.providerCallId, attempt: event.attempt }
    const open = this.#start(`chat ${event.model}`, SpanKind.CLIENT, event.at, facts, about, this.#agent.context)
    this.#call = { ...open, output: [] }
    this.#calls += 1
    this.#set(this.#agent, { agentProvider: provider })
    if (this.#input.length > 0) this.#set(open, { inputMessages: messagesText(this.#input) })
  }

  // It runs for every token, so it does nothing that nobody wants to know.
  #chunk(at: string): void {
    const call = this.#call
    const { measures } = this.#telemetry
    if (call === undefined || (call.lastChunkMs !== undefined && !measures.measures('timePerOutputChunk'))) return
    const isFirst = call.lastChunkMs === undefined
    const now = Date.parse(at)
    const seconds = Math.max(now - (call.lastChunkMs ?? call.startedMs), 0) / 1000
    call.lastChunkMs = now
    if (isFirst) this.#set(call, { stream: true, timeToFirstChunk: seconds })
    measures.record(isFirst ? 'timeToFirstChunk' : 'timePerOutputChunk', seconds, call.labels, call.context)
  }

  #endCall(at: string, result: InferenceResult, ending: Ending): void {
    const call = this.#call
    if (call === undefined) return // it began in a process that has died
    this.#call = undefined
    const usage = result.usage ?? call.usage
    this.#set(call, {
      ...endFacts(usage === undefined ? result : { ...result, usage }),
      maxTokens: result.max_tokens,
      responseModel: result.model,
      responseId: result.response_id,
      outputMessages: this.#telemetry.hasContent ? messagesText(call.output, reasonOf(result)) : undefined,
    })
    this.#close(call, at, ending)
    const measured = { ...call, labels: this.#and(call, { responseModel: result.model }) }
    this.#measureDuration('callDuration', measured, at, ending)
    const isWhole = ending.code === undefined && result.finish_class !== 'interrupted'
    if (usage !== undefined) this.#telemetry.measures.tokens(usage, isWhole, measured.labels, call.context)
  }

  #startTool(event: EventOf<'tool-execution-started'>): void {
    const { toolCallId, toolName, providerCallId } = event
    const before = this.#tools.get(toolCallId)
    if (before !== undefined) this.#closeTool(before, event.at, interrupted)
    const facts = { operation: 'execute_tool', toolName, toolType: 'function' }
    const content = this.#telemetry.hasContent ? { toolArguments: JSON.stringify(event.input) } : {}
    const about = { ...facts, toolCallId, providerCallId, ...content }
    const name = `execute_tool ${toolName}`
    this.#tools.set(toolCallId, this.#start(name, SpanKind.INTERNAL, event.at, facts, about, this.#agent.context))
    this.#toolCalls += 1
  }

  #endTool({ toolCallId, status, block, at }: EventOf<'tool-result-ready'>): void {
    const tool = this.#tools.get(toolCallId)
    if (tool === undefined) return // it was answered without being run
    this.#tools.delete(toolCallId)
    const { result, error } = block.payload
    if (this.#telemetry.hasContent) this.#set(tool, { toolResult: JSON.stringify(error ?? result ?? null) })
    this.#closeTool(tool, at, toolEndings[status](error))
  }

  #closeTool(tool: OpenSpan, at: string, ending: Ending): void {
    this.#close(tool, at, ending)
    this.#measureDuration('toolDuration', tool, at, ending)
  }

  #closeParts(at: string, ending: Ending): void {
    for (const tool of this.#tools.values()) this.#closeTool(tool, at, ending)
    this.#tools.clear()
    this.#endCall(at, { finish_class: ending.code === undefined ? 'unknown' : 'error' }, ending)
  }

  #keepInput(blocks: readonly Block[]): void {
    if (this.#telemetry.hasContent) this.#input.push(...blocks)
  }

  #start(
    name: string,
    kind: SpanKind,
    at: string,
    facts: AttributeFacts,
    about: AttributeFacts,
    parent: Context,
  ): OpenSpan {
    const { tracer, vintage } = this.#telemetry
    const startedMs = Date.parse(at)
    const attributes = attributesOf(vintage, { ...this.#ids, ...about })
    const span = tracer.startSpan(name, { kind, startTime: new Date(startedMs), attributes }, parent)
    return { span, context: trace.setSpan(parent, span), startedMs, labels: attributesOf(vintage, facts) }
  }

  #set({ span }: OpenSpan, facts: AttributeFacts): void {
    span.setAttributes(attributesOf(this.#telemetry.vintage, facts))
  }

  #close(open: OpenSpan, at: string, { code, message }: Ending): void {
    if (code !== undefined) {
      const quoted = this.#telemetry.hasContent && message !== undefined ? { message } : {}
      this.#set(open, { errorType: code })
      open.span.setStatus({ code: SpanStatusCode.ERROR, ...quoted })
    }
    open.span.end(new Date(open.startedMs + lengthMs(open, at)))
  }

  #measureDuration(
    fact: 'agentDuration' | 'callDuration' | 'toolDuration',
    open: OpenSpan,
    at: string,
    { code }: Ending,
  ): void {
    const labels = this.#and(open, { errorType: code })
    this.#telemetry.measures.record(fact, lengthMs(open, at) / 1000, labels, open.context)
  }

  #and({ labels }: OpenSpan, facts: AttributeFacts): Attributes {
    return { ...labels, ...attributesOf(this.#telemetry.vintage, facts) }
  }
}

export const interrupted: Ending = { code: 'INFERENCE_INTERRUPTED' }

const toolEndings = {
  success: () => ({}),
  error: (message?: string) => ({ code: 'TOOL_FAILED', ...(message !== undefined && { message }) }),
  unknown: () => ({ code: 'TOOL_OUTCOME_UNKNOWN' }),
} as const satisfies Record<EventOf<'tool-result-ready'>['status'], (message?: string) => Ending>

/** A wall clock may go back. A span cannot. */
function lengthMs({ startedMs }: OpenSpan, at: string): number {
  return Math.max(Date.parse(at) - startedMs, 0)
}

/** That somebody cancelled is no error. */
function endingOf(event: TerminalEvent): Ending {
  switch (event.type) {
    case 'inference-finished':
    case 'inference-stopped':
      return {}
    case 'inference-failed':
      return event.error
    case 'inference-interrupted':
      return { ...interrupted, message: event.reason }
  }
}

function errorOf({ finish_class, error }: InferenceResult): Ending {
  if (error !== undefined) return { code: error.code, message: error.message }
  return finish_class === 'error' ? { code: '_OTHER' } : {}
}

function endFacts(result: InferenceResult): AttributeFacts {
  return {
    finishReasons: [reasonOf(result)],
    finishClass: result.finish_class,
    ...(result.usage && tokenCounts(result.usage)),
  }
}

function reasonOf(result: InferenceResult): string {
  return result.stop_reason ?? result.finish_class
}
