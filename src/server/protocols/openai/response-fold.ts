import type { EventOf, InferenceEvent } from '../../../events/event.ts'
import type { Json, JsonObject } from '../../../json.ts'
import type { ToolCallBlock } from '../../../turns/block.ts'
import { runtimeKey } from '../../../turns/keys.ts'
import { readRuntime, unknownRuntime } from './asked.ts'
import * as item from './response-item.ts'
import { responseObject } from './response-object.ts'
import { isOver, type OpenItem, type ResponseFrame, type ResponseState, type ResponseStatus } from './response-state.ts'
import { addUsage, noTokens } from './usage.ts'

// The responses of one inference as a fold of its events. Where the inference waits for the client, a response ends, and
// the next one begins when the client's answers are in the log: parts 0, 1, 2, … of the inference. What each has told,
// and under which sequence number, follows from the log alone, so any process can go on telling from any place.

/** The state after an event of the inference, and what is told of it. */
export function foldResponse(
  state: ResponseState,
  event: InferenceEvent,
): readonly [ResponseState, readonly ResponseFrame[]] {
  const teller = new Teller(state)
  teller.hear(event)
  return [teller.state, teller.frames]
}

/** One step of the fold: the state as it becomes, and the frames on the way. It is not kept. */
class Teller {
  state: ResponseState
  readonly frames: ResponseFrame[] = []

  constructor(state: ResponseState) {
    this.state = state
  }

  hear(event: InferenceEvent): void {
    if (event.type === 'approval-requested') this.#noteApproval(event)
    if (event.type === 'approval-decided' || event.type === 'tool-result-ready') this.#noteAnswer(event)
    this.#take(event)
  }

  #take(event: InferenceEvent): void {
    if (isOver(this.state)) return this.#hold(event)
    switch (event.type) {
      case 'prompt-accepted':
        return this.#begin(event)
      case 'turn-opened':
        // Who answers when the prompt did not say.
        if (this.state.runtime.profile === '' && event.delta.metadata?.[runtimeKey.id] !== undefined)
          this.#set({ runtime: readRuntime(event.delta.metadata[runtimeKey.id]) })
        return
      case 'inference-started':
        this.#set({ status: 'in_progress' })
        return this.#tellResponse('response.in_progress')
      case 'provider-call-started':
        return this.#set({ requested: [], callStart: this.state.items.length })
      case 'text-segment-started':
      case 'reasoning-segment-started':
        return void this.#segment(event)
      case 'text-delta':
      case 'reasoning-delta':
        return this.#delta(this.#segment(event), event.delta)
      case 'citation':
        return this.#cite(event)
      case 'text-segment-finished':
      case 'reasoning-segment-finished': {
        const open = this.#segment(event)
        const { text = '' } = event.block.payload
        if (text.startsWith(open.text)) this.#delta(open, text.slice(open.text.length))
        return this.#close(open.source, { text, status: event.partial === true ? 'incomplete' : 'completed' })
      }
      case 'tool-call-requested':
        return this.#set({ requested: [...this.state.requested, event.block] })
      case 'attempt-discarded':
        return this.#withdraw()
      case 'provider-call-finished':
        return this.#set({ tokens: addUsage(this.state.tokens, event.result.usage) })
      case 'tool-execution-started':
        return void this.#openCall(event.toolCallId, event.toolName, event.input)
      case 'tool-result-ready':
        return this.#finishCall(event)
      case 'approval-requested':
        return this.#ask(event)
      case 'inference-finished':
      case 'inference-stopped':
      case 'inference-failed':
      case 'inference-interrupted':
        return this.#end(event)
      default:
    }
  }

  #set(changes: Partial<ResponseState>): void {
    this.state = { ...this.state, ...changes }
  }

  #begin({ sessionId, inferenceId, turnId, at, runtime }: EventOf<'prompt-accepted'>): void {
    const asked = runtime === undefined ? unknownRuntime : readRuntime(runtime)
    const inBackground = asked.request['background'] === true
    this.#set({ sessionId, inferenceId, turnId, createdAt: at, runtime: asked })
    this.#set({ status: inBackground ? 'queued' : 'in_progress' })
    this.#tellResponse('response.created')
    if (inBackground) this.#tellResponse('response.queued')
  }

  #noteApproval({ toolCallId, approvalId }: EventOf<'approval-requested'>): void {
    this.#set({ approvals: [...this.state.approvals, { toolCallId, approvalId }] })
  }

  #noteAnswer(event: EventOf<'approval-decided' | 'tool-result-ready'>): void {
    const { waits, answered } = this.state
    this.#set({
      answered: [...answered, event.type === 'approval-decided' ? event.approvalId : event.toolCallId],
      waits: waits.filter(({ toolCallId }) => toolCallId !== event.toolCallId),
    })
  }

  /** The part has ended. What happens now belongs to the next one, which begins when nothing is waited for any more. */
  #hold(event: InferenceEvent): void {
    if (this.state.status !== 'completed' || this.state.error !== undefined) return
    const { held, clientCalls } = this.state
    const isTold = 'toolCallId' in event && clientCalls.includes(event.toolCallId)
    if (event.type === 'approval-requested' ? !isTold : event.type === 'tool-result-ready' && !isTold) {
      this.#set({ held: [...held, event] })
    }
    const isAnswer = event.type === 'approval-decided' || event.type === 'tool-result-ready'
    if (!isAnswer || this.state.waits.length > 0) return
    const { part, held: toTell, completedAt: _completedAt, ...rest } = this.state
    this.state = { ...rest, ...nextPart, part: part + 1, createdAt: event.at }
    this.#tellResponse('response.created')
    this.#tellResponse('response.in_progress')
    for (const before of toTell) this.#take(before)
  }

  /** The client's calls of one reply are told at once, with the first that is asked for; the response ends with them. */
  #ask(event: EventOf<'approval-requested'>): void {
    const { runtime, requested, answered, clientCalls } = this.state
    if (event.reason !== 'client-tool') {
      // Of a response that is not stored, nobody is asked.
      if (runtime.request['store'] === false || answered.includes(event.approvalId)) return
      this.#whole(item.approvalRequest(event))
      this.#set({ waits: [{ toolCallId: event.toolCallId, kind: 'approval' }] })
    } else {
      const names = new Set(runtime.clientTools.map(({ name }) => name))
      const calls = requested.filter(({ payload: { id, name } }) => {
        const isDone = answered.includes(id) || clientCalls.includes(id)
        return !isDone && (id === event.toolCallId || names.has(name))
      })
      if (calls.length === 0) return
      for (const call of calls) this.#tellCall(call)
      const ids = calls.map(({ payload }) => payload.id)
      this.#set({
        clientCalls: [...clientCalls, ...ids],
        waits: ids.map((toolCallId) => ({ toolCallId, kind: 'function' })),
      })
    }
    this.#finish('completed', event.at)
  }

  #tellCall({ payload: { id, name, args } }: ToolCallBlock): void {
    const itemId = item.callItemId(this.state.inferenceId, id)
    const index = this.#add(item.functionCall(itemId, id, name, '', 'in_progress'))
    const done = item.functionCall(itemId, id, name, args, 'completed')
    const at = { item_id: done.id, output_index: index }
    this.#tell('response.function_call_arguments.delta', { ...at, delta: done.arguments })
    this.#tell('response.function_call_arguments.done', { ...at, name, arguments: done.arguments })
    this.#done(index, done)
  }

  /** The open item of a segment; begins it when it is not there. */
  #segment(
    event: EventOf<
      | 'text-segment-started'
      | 'reasoning-segment-started'
      | 'text-delta'
      | 'reasoning-delta'
      | 'text-segment-finished'
      | 'reasoning-segment-finished'
    >,
  ): OpenItem {
    const known = this.state.open.find(({ source }) => source === event.segmentId)
    if (known !== undefined) return known
    const isText = event.type.startsWith('text')
    const source = event.type === 'reasoning-segment-started' ? (event.source ?? 'provider') : 'provider'
    const of = isText ? ({ kind: 'message', annotations: [] } as const) : ({ kind: 'reasoning', source } as const)
    const started = item.begun(of, event.segmentId)
    const index = this.#add(started)
    const open = { index, itemId: started.id, of, source: event.segmentId, text: '' }
    this.#set({ open: [...this.state.open, open] })
    // A sealed reasoning has no part at all.
    if (isText) this.#tell('response.content_part.added', { ...item.place(open), part: item.part(open, '') })
    return open
  }

  #delta(open: OpenItem, delta: string): void {
    if (delta === '') return
    const names = item.eventNames(open.of)
    if (open.text === '' && open.of.kind === 'reasoning')
      this.#tell(names.added, { ...item.place(open), part: item.part(open, '') })
    this.#reopen({ ...open, text: open.text + delta })
    this.#tell(names.delta, { ...item.place(open), delta, ...item.withLogprobs(open) })
  }

  #reopen(changed: OpenItem): void {
    this.#set({ open: this.state.open.map((open) => (open.source === changed.source ? changed : open)) })
  }

  #cite(event: EventOf<'citation'>): void {
    const open = this.state.open.findLast(({ of }) => of.kind === 'message')
    if (open?.of.kind !== 'message' || event.url === undefined) return
    const annotation = item.urlCitation(event)
    const { annotations } = open.of
    this.#reopen({ ...open, of: { ...open.of, annotations: [...annotations, annotation] } })
    this.#tell('response.output_text.annotation.added', {
      ...item.place(open),
      annotation_index: annotations.length,
      annotation,
    })
  }

  #close(source: string, { text, status }: { readonly text: string; readonly status: string }): void {
    const open = this.state.open.find((candidate) => candidate.source === source)
    if (open === undefined) return
    this.#set({ open: this.state.open.filter((other) => other !== open) })
    if (open.of.kind === 'call') return this.#done(open.index, item.mcpCall(open, { status: 'incomplete' }))
    const hasPart = open.of.kind === 'message' || open.text !== ''
    if (hasPart) {
      const names = item.eventNames(open.of)
      this.#tell(names.done, { ...item.place(open), text, ...item.withLogprobs(open) })
      this.#tell(names.partDone, { ...item.place(open), part: item.part(open, text) })
    }
    this.#done(open.index, item.ended(open, hasPart ? text : '', status))
  }

  #openCall(toolCallId: string, toolName: string, input: Json): OpenItem {
    const of = { kind: 'call', toolName, input } as const
    const itemId = `mcp_${item.idOf(toolCallId)}`
    const index = this.#add(item.mcpCall({ itemId, of: { ...of, input: '' } }, { status: 'in_progress' }))
    const open = { index, itemId, of, source: toolCallId, text: '' }
    const at = { item_id: itemId, output_index: index }
    this.#set({ open: [...this.state.open, open] })
    this.#tell('response.mcp_call.in_progress', at)
    this.#tell('response.mcp_call_arguments.delta', { ...at, delta: item.jsonText(input) })
    this.#tell('response.mcp_call_arguments.done', { ...at, arguments: item.jsonText(input) })
    return open
  }

  #finishCall({ toolCallId, toolName, status, block }: EventOf<'tool-result-ready'>): void {
    const { clientCalls, requested, open } = this.state
    if (clientCalls.includes(toolCallId)) return
    const asked = requested.find(({ payload }) => payload.id === toolCallId)?.payload.args ?? {}
    const call = open.find(({ source }) => source === toolCallId) ?? this.#openCall(toolCallId, toolName, asked)
    this.#set({ open: this.state.open.filter(({ source }) => source !== toolCallId) })
    const isDone = status === 'success'
    const { result = null, error } = block.payload
    const at = { item_id: call.itemId, output_index: call.index }
    this.#tell(isDone ? 'response.mcp_call.completed' : 'response.mcp_call.failed', at)
    const ended = isDone ? { output: item.jsonText(result) } : { error: error ?? 'it failed' }
    this.#done(call.index, item.mcpCall(call, { status: isDone ? 'completed' : 'failed', ...ended }))
  }

  /** An attempt failed and another follows: what it said is closed, and is no part of the response. */
  #withdraw(): void {
    const segments = this.state.open.filter(({ of }) => of.kind !== 'call')
    for (const { source, text } of segments) this.#close(source, { text, status: 'incomplete' })
    const { items, callStart } = this.state
    this.#set({ requested: [], items: items.map((told, index) => (index >= callStart ? undefined : told)) })
  }

  #end(
    event: EventOf<'inference-finished' | 'inference-stopped' | 'inference-failed' | 'inference-interrupted'>,
  ): void {
    switch (event.type) {
      case 'inference-finished': {
        const reason = item.incompleteReasons[event.result.finish_class]
        if (reason === undefined) return this.#finish('completed', event.at)
        this.#set({ incompleteReason: reason })
        return this.#finish('incomplete', event.at)
      }
      case 'inference-stopped':
        return this.#finish('cancelled', event.at)
      case 'inference-failed':
        this.#set({ error: event.error })
        return this.#finish('failed', event.at)
      case 'inference-interrupted':
        this.#set({ error: { code: 'INFERENCE_INTERRUPTED', message: `It was interrupted: ${event.reason}.` } })
        return this.#finish('failed', event.at)
    }
  }

  #finish(status: ResponseStatus, at: string): void {
    for (const { source, text } of this.state.open) this.#close(source, { text, status: 'incomplete' })
    this.#set({ status, completedAt: at })
    // There is no event of its own for a response that was cancelled.
    this.#tellResponse(`response.${status === 'cancelled' ? 'incomplete' : status}`)
  }

  #whole(told: JsonObject): void {
    this.#done(this.#add(told), told)
  }

  #add(told: JsonObject): number {
    const index = this.state.items.length
    this.#set({ items: [...this.state.items, told] })
    this.#tell('response.output_item.added', { output_index: index, item: told })
    return index
  }

  #done(index: number, told: JsonObject): void {
    this.#set({ items: this.state.items.with(index, told) })
    this.#tell('response.output_item.done', { output_index: index, item: told })
  }

  #tellResponse(type: string): void {
    this.#tell(type, { response: responseObject(this.state) })
  }

  #tell(type: string, fields: JsonObject): void {
    const { part, sequence } = this.state
    this.frames.push({ part, event: { type, sequence_number: sequence, ...fields } })
    this.#set({ sequence: sequence + 1 })
  }
}

/** What a part begins with. */
const nextPart = {
  sequence: 0,
  status: 'in_progress',
  items: [],
  callStart: 0,
  open: [],
  waits: [],
  held: [],
  tokens: noTokens,
} satisfies Partial<ResponseState>
