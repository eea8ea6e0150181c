import { canonicalJson } from '../../../../src/json.ts'
import { blockHash } from '../../../../src/turns/hash.ts'
import { isJsonObject, type Json } from '../../session/json.ts'
import type { RowChange } from './compare.ts'
import type { RecordedTurn, Touch, TurnState } from './recorded-turns.ts'

/** A request as it was sent to a model, projected again. */
export interface SentRequest {
  readonly ordinal: number
  readonly inferenceId: string
  readonly providerCallId: string
  readonly attempt: number
  readonly provider: string
  readonly model: string
  /** Null when the engine has no request to show. */
  readonly body: Json
  /** Whether these are the very bytes that were sent. */
  readonly isExact: boolean
  readonly repairs: readonly { readonly repair: string; readonly block: number; readonly detail: string }[]
}

/** A piece of what a provider reads before it writes, in the order in which it reads. */
export interface Piece {
  /** Where it stands in the request, as `messages[3]`. */
  readonly place: string
  readonly text: string
}

/** How much of a request began as the one before it did: what a provider's cache can give back. */
export interface CacheStep {
  readonly request: SentRequest
  readonly pieces: number
  readonly stablePieces: number
  /** Characters of JSON, of which a token is three or four. */
  readonly characters: number
  readonly stableCharacters: number
  /** What broke it; absent when all that the earlier request had is still there, and nothing but new pieces follows. */
  readonly broken?: CacheBreak
}

export interface CacheBreak {
  /** The first piece that is another one, or is gone. */
  readonly place: string
  readonly before: string
  readonly after: string
  /** The first block of the turn that is another one than in the earlier request; absent when the turn begins the same. */
  readonly block?: { readonly index: number; readonly by?: BreakCause }
}

/** Who made the difference, as far as the log says. */
export interface BreakCause {
  readonly by: string
  readonly act: Touch['act'] | Exclude<RowChange, 'same'>
  readonly ordinal: number
}

// In the order in which providers read them, whatever the order of the keys in the body.
const places = ['model', 'tools', 'system', 'systemInstruction', 'messages', 'input', 'contents', 'blocks'] as const

/** What a message calls its parts. */
const lists = ['content', 'parts'] as const

/** Each request compared with the one before it; the first has nothing before it. Retries say nothing new. */
export function cacheSteps(
  requests: readonly SentRequest[],
  turns: readonly RecordedTurn[],
): readonly { readonly step: CacheStep; readonly previous?: SentRequest }[] {
  const first = requests.filter(({ attempt }) => attempt === 1)
  return first.map((request, index) => {
    const previous = first[index - 1]
    const step = compareRequests(previous, request, turns)
    return previous === undefined ? { step } : { step, previous }
  })
}

function compareRequests(
  previous: SentRequest | undefined,
  request: SentRequest,
  turns: readonly RecordedTurn[],
): CacheStep {
  const pieces = piecesOf(request.body)
  const before = previous === undefined ? [] : piecesOf(previous.body)
  let stable = 0
  while (stable < Math.min(before.length, pieces.length) && before[stable]?.text === pieces[stable]?.text) stable += 1
  const [earlier, now] = [before[stable], pieces[stable]]
  const broken = earlier && {
    place: now?.place ?? earlier.place,
    before: earlier.text,
    after: now?.text ?? '',
    ...(previous && blockBreak(turns, stateAt(turns, previous.ordinal), stateAt(turns, request.ordinal))),
  }
  return {
    request,
    pieces: pieces.length,
    stablePieces: stable,
    characters: charactersOf(pieces),
    stableCharacters: charactersOf(pieces.slice(0, stable)),
    ...(broken && { broken }),
  }
}

/** A request's body, piece by piece. Marks of what is to be cached move along and change nothing of what is read. */
export function piecesOf(body: Json): readonly Piece[] {
  if (!isJsonObject(body)) return []
  return places.flatMap((name) => (body[name] === undefined ? [] : piecesIn(name, body[name])))
}

function piecesIn(name: string, value: Json): readonly Piece[] {
  if (!Array.isArray(value)) return [pieceOf(name, value)]
  return value.flatMap((item: Json, index) => partsIn(`${name}[${index}]`, item))
}

// What is said twice in a row by the same side becomes one message: its parts are what is added to, not the message.
function partsIn(place: string, item: Json): readonly Piece[] {
  if (!isJsonObject(item)) return [pieceOf(place, item)]
  for (const list of lists) {
    const parts = item[list]
    if (Array.isArray(parts))
      return parts.map((part: Json, index) => pieceOf(`${place}.${list}[${index}]`, { ...item, [list]: [part] }))
  }
  return [pieceOf(place, item)]
}

function pieceOf(place: string, value: Json): Piece {
  return { place, text: canonicalJson(withoutMarks(value)) }
}

function withoutMarks(value: Json): Json {
  if (Array.isArray(value)) return value.map(withoutMarks)
  if (!isJsonObject(value)) return value
  const kept = Object.entries(value).filter(([name]) => name !== 'cache_control')
  return Object.fromEntries(kept.map(([name, each]) => [name, withoutMarks(each)]))
}

function charactersOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { text }) => sum + text.length, 0)
}

function stateAt(turns: readonly RecordedTurn[], ordinal: number): TurnState | undefined {
  for (const { states } of turns) {
    const state = states.find((each) => each.ordinal === ordinal && each.phase === 'as_sent')
    if (state !== undefined) return state
  }
  return undefined
}

function blockBreak(
  turns: readonly RecordedTurn[],
  before: TurnState | undefined,
  after: TurnState | undefined,
): Pick<CacheBreak, 'block'> {
  if (before === undefined || after === undefined) return {}
  const index = before.turn.blocks.findIndex((block, at) => {
    const other = after.turn.blocks[at]
    return other === undefined || (other !== block && contentOf(other) !== contentOf(block))
  })
  if (index < 0) return {}
  const by = editAt(turns, index, before.ordinal, after.ordinal) ?? lastTouch(after, index, before.ordinal)
  return { block: by === undefined ? { index } : { index, by } }
}

// What a model reads of it: facts beside a block, as which call made it, come later and are not sent.
function contentOf(block: TurnState['turn']['blocks'][number]): string {
  const { metadata: _metadata, ...content } = block
  return blockHash(content)
}

/** The last edit between the two requests that did something to the block at this place, or moved it there. */
function editAt(turns: readonly RecordedTurn[], index: number, since: number, until: number): BreakCause | undefined {
  const edits = turns
    .flatMap((turn) => turn.edits)
    .filter(({ ordinal }) => ordinal > since && ordinal < until)
    .toReversed()
  for (const { by, ordinal, rows } of edits) {
    const row = rows.find((each) => (each.change === 'removed' ? each.before : each.after) <= index)
    if (row !== undefined && row.change !== 'same') return { by, ordinal, act: row.change }
  }
  return undefined
}

/** Who touched this block last, since the earlier request. */
function lastTouch(state: TurnState, index: number, since: number): Touch | undefined {
  return state.touches[index]?.findLast(({ ordinal }) => ordinal > since)
}
