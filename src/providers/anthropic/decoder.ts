import { isJsonObject, type JsonObject } from '../../json.ts'
import { ProviderError, streamError } from '../error.ts'
import type { CallOutcome, Emit, StreamDecoder } from '../protocol.ts'
import { list, number, object, text } from '../wire.ts'
import { addCitation, emitCitation, finished, kindOf, setFields, show, type OpenBlock } from './content-block.ts'
import { serverCallOpened, serverInputDelta } from './server-tools.ts'
import { mergeUsage, toUsage } from './usage.ts'

// The reply is a list of content blocks, each opened, written by deltas and stopped. Kinds of blocks and deltas that are
// not known here are gathered all the same, so that they can be sent back.
// platform.claude.com/docs/en/build-with-claude/streaming

/** Stop reasons that ask for the reply to be sent back as it is. */
const pauses: ReadonlySet<string> = new Set(['pause_turn', 'compaction'])

export class AnthropicDecoder implements StreamDecoder {
  #isComplete = false
  #hasBegun = false
  #responseId: string | undefined
  #model: string | undefined
  #stopReason: string | undefined
  #usage: JsonObject = {}
  #extra: JsonObject = {}
  #ignored = 0
  #opened = 0
  #lastIndex = -1
  readonly #callIds = new Set<string>()
  /** Blocks that were not emitted yet, in the order of the reply. */
  #queue: OpenBlock[] = []
  readonly #writing = new Map<number, OpenBlock>()

  get isComplete(): boolean {
    return this.#isComplete
  }

  get isAnswered(): boolean {
    return this.#stopReason !== undefined
  }

  /** True for every message that is part of the reply: it may make no event, but the provider is at work. */
  push(message: JsonObject, emit: Emit): boolean {
    switch (message['type']) {
      case 'message_start':
        this.#begin(object(message, 'message') ?? {}, emit)
        return true
      case 'content_block_start':
        this.#start(number(message, 'index') ?? this.#lastIndex + 1, object(message, 'content_block') ?? {}, emit)
        return true
      case 'content_block_delta':
        this.#delta(number(message, 'index') ?? this.#lastIndex, object(message, 'delta') ?? {}, emit)
        return true
      case 'content_block_stop':
        this.#stop(number(message, 'index') ?? this.#lastIndex, emit)
        return true
      case 'message_delta':
        this.#end(message, emit)
        return true
      case 'message_stop':
        this.#isComplete = true
        return true
      case 'ping':
        return false
      default:
        if (message['type'] === 'error' || isJsonObject(message['error'])) throw streamError('anthropic', message)
        this.#ignored += 1
        return false
    }
  }

  finish(emit: Emit): CallOutcome | undefined {
    // A reply that stopped without a reason and without a word is one that was cut off, whatever its last mark says.
    const isOver = this.#stopReason !== undefined || (this.#isComplete && this.#opened > 0)
    if (!isOver) return undefined
    this.#flush(emit, true)
    const stopReason = this.#stopReason ?? ''
    const usage = toUsage(this.#usage)
    const extra = {
      ...this.#extra,
      ...(usage !== undefined && { usage: this.#usage }),
      ...(this.#ignored > 0 && { ignored_events: this.#ignored }),
    }
    return {
      stopReason,
      ...(usage !== undefined && { usage }),
      ...this.#names(),
      continues: pauses.has(stopReason),
      ...(Object.keys(extra).length > 0 && { extra }),
    }
  }

  #begin(message: JsonObject, emit: Emit): void {
    const id = text(message, 'id')
    if (this.#hasBegun) return this.#beginAgain(id)
    this.#hasBegun = true
    this.#responseId = id
    this.#model = text(message, 'model')
    this.#usage = mergeUsage({}, object(message, 'usage') ?? {})
    this.#keep(message, ['container', 'context_management', 'diagnostics', 'input_transformations'])
    this.#tell(emit)
    // A reply that resumes one (programmatic tool calls) may open with blocks that are whole already.
    for (const block of list(message, 'content').filter(isJsonObject)) {
      const index = this.#lastIndex
      this.#start(-1, block, emit)
      this.#stop(-1, emit)
      this.#lastIndex = index
    }
  }

  // Some gateways say the beginning twice; the beginning of another reply is two streams spliced into one.
  #beginAgain(id: string | undefined): void {
    if (id === undefined || id === this.#responseId) return
    if (this.isAnswered) {
      this.#isComplete = true
      return
    }
    const message = `anthropic began another answer (${id}) in the middle of one (${this.#responseId ?? 'without an id'}). What had come is kept; try again.`
    throw new ProviderError('PROVIDER_PROTOCOL', message, { provider: 'anthropic', retryable: true })
  }

  #start(index: number, fields: JsonObject, emit: Emit): void {
    this.#supersede(index, emit)
    const type = text(fields, 'type') ?? ''
    const kind = kindOf(type)
    const id = kind === 'call' ? this.#callId(text(fields, 'id') ?? '') : `${kind}-${this.#opened}`
    const block: OpenBlock = {
      kind,
      id,
      outputIndex: this.#opened,
      fields,
      written: '',
      isShown: false,
      isStopped: false,
    }
    this.#opened += 1
    this.#lastIndex = index
    this.#queue.push(block)
    this.#writing.set(index, block)
    if (kind === 'text') {
      for (const [at, citation] of list(fields, 'citations').entries()) emitCitation(block, citation, at, emit)
      this.#write(block, text(fields, 'text') ?? '', emit)
    }
    if (type === 'thinking') this.#write(block, text(fields, 'thinking') ?? '', emit)
    if (kind === 'call') emit({ type: 'tool-call-started', toolCallId: id, toolName: text(fields, 'name') ?? '' })
    if (kind === 'item') for (const event of serverCallOpened(fields)) emit(event)
    if (type === '') this.#ignored += 1
    const model = type === 'fallback' ? text(object(fields, 'to') ?? {}, 'model') : undefined
    if (model !== undefined) {
      this.#model = model
      this.#tell(emit)
    }
  }

  // A second block where one is still being written: text that was shown stands, a call that was never whole does not.
  #supersede(index: number, emit: Emit): void {
    const block = this.#writing.get(index)
    if (block === undefined) return
    if (block.kind === 'text' || block.kind === 'reasoning') return this.#stop(index, emit)
    this.#ignored += 1
    this.#callIds.delete(block.id)
    this.#queue = this.#queue.filter((queued) => queued !== block)
    this.#writing.delete(index)
    this.#flush(emit, false)
  }

  #delta(index: number, delta: JsonObject, emit: Emit): void {
    const type = text(delta, 'type') ?? ''
    const block = this.#writing.get(index) ?? this.#startUnannounced(index, type, emit)
    if (block === undefined) {
      this.#ignored += 1
      return
    }
    if (block.kind === 'item') return this.#itemDelta(block, type, delta, emit)
    if (block.kind === 'text' && type === 'text_delta') this.#write(block, text(delta, 'text') ?? '', emit)
    else if (block.kind === 'text' && type === 'citations_delta') addCitation(block, delta['citation'] ?? null, emit)
    else if (block.kind === 'reasoning' && type === 'thinking_delta')
      this.#write(block, text(delta, 'thinking') ?? '', emit)
    else if (block.kind === 'reasoning' && type === 'signature_delta')
      setFields(block, { signature: text(delta, 'signature') ?? '' })
    else if (block.kind === 'call' && type === 'input_json_delta')
      this.#write(block, text(delta, 'partial_json') ?? '', emit)
    else this.#ignored += 1
  }

  // Nothing that a person could read is lost because its opening was.
  #startUnannounced(index: number, deltaType: string, emit: Emit): OpenBlock | undefined {
    const type = deltaType === 'text_delta' ? 'text' : deltaType === 'thinking_delta' ? 'thinking' : undefined
    if (type === undefined) return undefined
    this.#start(index, { type }, emit)
    return this.#writing.get(index)
  }

  // An item of any kind: JSON input is gathered, a compaction is said at once, and other text is added to its own field.
  #itemDelta(block: OpenBlock, type: string, delta: JsonObject, emit: Emit): void {
    if (type === 'input_json_delta') {
      const partial = text(delta, 'partial_json') ?? ''
      block.written += partial
      if (partial !== '') for (const event of serverInputDelta(block.fields, partial)) emit(event)
      return
    }
    if (type === 'citations_delta') {
      addCitation(block, delta['citation'] ?? null, emit)
      return
    }
    const { type: _type, ...fields } = delta
    for (const [name, value] of Object.entries(fields)) {
      const before = block.fields[name]
      const isAdded =
        type !== 'compaction_delta' &&
        type !== 'signature_delta' &&
        typeof before === 'string' &&
        typeof value === 'string'
      setFields(block, { [name]: isAdded ? before + value : value })
    }
  }

  #write(block: OpenBlock, delta: string, emit: Emit): void {
    if (delta === '') return
    const offset = block.written.length
    block.written += delta
    if (block.kind === 'call') {
      emit({ type: 'tool-call-arguments-delta', toolCallId: block.id, offset, delta })
      return
    }
    show(block, emit)
    emit({ type: block.kind === 'text' ? 'text-delta' : 'reasoning-delta', segmentId: block.id, offset, delta })
  }

  #stop(index: number, emit: Emit): void {
    const block = this.#writing.get(index)
    if (block === undefined) {
      this.#ignored += 1 // refused replies stop blocks that they never began
      return
    }
    this.#writing.delete(index)
    block.isStopped = true
    this.#flush(emit, false)
  }

  /** Emits blocks in the order of the reply, up to the first that is still being written; all of them at the end. */
  #flush(emit: Emit, isEnd: boolean): void {
    while (this.#queue[0]?.isStopped === true || (isEnd && this.#queue.length > 0)) {
      const block = this.#queue.shift()
      // What a refusal broke off in the middle of a call was never asked for.
      if (block === undefined || (!block.isStopped && block.kind === 'call' && this.#stopReason === 'refusal')) continue
      for (const event of finished(block)) emit(event)
    }
  }

  #end(message: JsonObject, emit: Emit): void {
    const delta = object(message, 'delta') ?? {}
    this.#usage = mergeUsage(this.#usage, object(message, 'usage') ?? {})
    this.#stopReason = text(delta, 'stop_reason') ?? this.#stopReason
    this.#keep(delta, ['stop_sequence', 'stop_details', 'container'])
    this.#keep(message, ['context_management', 'input_transformations'])
    this.#tell(emit)
  }

  #keep(record: JsonObject, names: readonly string[]): void {
    const said = names.filter((name) => record[name] !== undefined && record[name] !== null)
    this.#extra = { ...this.#extra, ...Object.fromEntries(said.map((name) => [name, record[name] ?? null])) }
  }

  #tell(emit: Emit): void {
    const usage = toUsage(this.#usage)
    emit({
      type: 'provider-call-metadata-updated',
      ...this.#names(),
      ...(this.#stopReason !== undefined && { stopReason: this.#stopReason }),
      ...(usage !== undefined && { usage }),
    })
  }

  #names(): { readonly responseId?: string; readonly model?: string } {
    return {
      ...(this.#responseId !== undefined && { responseId: this.#responseId }),
      ...(this.#model !== undefined && { model: this.#model }),
    }
  }

  #callId(given: string): string {
    const base =
      given !== ''
        ? given
        : ['call', this.#callIds.size + 1, ...(this.#responseId === undefined ? [] : [this.#responseId])].join('_')
    let id = base
    for (let count = 2; this.#callIds.has(id); count += 1) id = `${base}-${count}`
    this.#callIds.add(id)
    return id
  }
}
