import { isJsonObject, tryParseJson, type Json, type JsonObject } from '../../json.ts'
import { toolCall } from '../../turns/block.ts'
import type { Emit } from '../protocol.ts'
import { object, text } from '../wire.ts'
import { PartialArguments } from './partial-arguments.ts'
import { sealed } from './sealed.ts'

/** A call that is being written. */
interface Draft {
  readonly toolCallId: string
  readonly name: string
  readonly pieces: PartialArguments
  /** The parts of the call with all their fields but the pieces: the last word of each holds. */
  part: JsonObject
  written: number
}

/**
 * The calls of one reply. Most come whole in one part; streamed ones begin with a part that names them, go on with pieces
 * of their arguments, and end with a part that holds nothing.
 */
export class FunctionCalls {
  readonly #ids = new Set<string>()
  #draft: Draft | undefined

  /** Takes one part; `responseId` makes ids where the provider gave none. */
  read(part: JsonObject, responseId: string | undefined, emit: Emit): void {
    const call = object(part, 'functionCall') ?? {}
    const name = text(call, 'name')
    if (name !== undefined) {
      this.#end(true, emit)
      this.#draft = this.#begin(part, call, name, responseId, emit)
    }
    const draft = this.#draft
    if (draft === undefined) return // an end mark behind a call that is over
    if (name === undefined) draft.part = joined(draft.part, part)
    write(draft, draft.pieces.add(call), emit)
    if (isEnd(call)) this.#end(true, emit)
  }

  /**
   * The reply is over. A call without its end mark is whole when the model ended by itself; what a limit cut off is
   * handed on as the text that it is, for nobody may run half of what was asked.
   */
  finish(isWhole: boolean, emit: Emit): void {
    this.#end(isWhole, emit)
  }

  /** Forgets a call that is not whole. */
  drop(): void {
    this.#draft = undefined
  }

  #begin(part: JsonObject, call: JsonObject, name: string, responseId: string | undefined, emit: Emit): Draft {
    const toolCallId = this.#unusedId(text(call, 'id') ?? '', responseId)
    emit({ type: 'tool-call-started', toolCallId, toolName: name })
    return { toolCallId, name, pieces: new PartialArguments(), part, written: 0 }
  }

  #end(isWhole: boolean, emit: Emit): void {
    const draft = this.#draft
    this.#draft = undefined
    if (draft === undefined) return
    const args = isWhole ? argumentsOf(draft, emit) : draft.pieces.written
    const signature = text(draft.part, 'thoughtSignature')
    const block = sealed(toolCall(draft.toolCallId, draft.name, args), partOf(draft, args), signature)
    emit({ type: 'tool-call-requested', toolCallId: draft.toolCallId, block })
  }

  #unusedId(id: string, responseId: string | undefined): string {
    const wanted =
      id === '' ? ['call', ...(responseId === undefined ? [] : [responseId]), this.#ids.size].join('_') : id
    let unused = wanted
    for (let count = 2; this.#ids.has(unused); count += 1) unused = `${wanted}-${count}`
    this.#ids.add(unused)
    return unused
  }
}

function write(draft: Draft, delta: string, emit: Emit): void {
  if (delta === '') return
  emit({ type: 'tool-call-arguments-delta', toolCallId: draft.toolCallId, offset: draft.written, delta })
  draft.written += delta.length
}

// Whole calls and end marks have no pieces. Pieces of which it is not said whether more follow may have followers.
function isEnd(call: JsonObject): boolean {
  return call['willContinue'] === false || (call['willContinue'] !== true && !('partialArgs' in call))
}

/** The arguments: an object; the text of anything else. Some proxies send them as text. */
function argumentsOf(draft: Draft, emit: Emit): Json {
  const given = object(draft.part, 'functionCall')?.['args'] ?? ''
  if (draft.written === 0 && draft.pieces.isReadable && given !== '') return wholeArguments(draft, given, emit)
  const { text: rest, value } = draft.pieces.end()
  write(draft, rest, emit)
  return value === undefined ? draft.pieces.written : { ...(isJsonObject(given) && given), ...value }
}

function wholeArguments(draft: Draft, given: Json, emit: Emit): Json {
  const written = typeof given === 'string' ? given : JSON.stringify(given)
  write(draft, written, emit)
  const value = typeof given === 'string' ? tryParseJson(given) : given
  return isJsonObject(value) ? value : written
}

/** The later part's fields over the earlier's, in the call as well. */
function joined(earlier: JsonObject, later: JsonObject): JsonObject {
  const call = { ...object(earlier, 'functionCall'), ...object(later, 'functionCall') }
  return { ...earlier, ...later, functionCall: call }
}

/** The call as one part: as it came, or put together of its pieces; none for a call that cannot be sent back. */
function partOf({ part, name }: Draft, args: Json): readonly JsonObject[] {
  if (!isJsonObject(args)) return []
  const { partialArgs, willContinue, ...call } = object(part, 'functionCall') ?? {}
  const isWhole = partialArgs === undefined && willContinue === undefined && isJsonObject(call['args'] ?? {})
  return [isWhole ? part : { ...part, functionCall: { ...call, name, args } }]
}
