import type { EventOf, InferenceEvent, Phase } from 'geppetto/events'
import { createTurn, type Turn } from '../../../../src/turns/turn.ts'
import { applyEvent } from '../../../../src/events/apply.ts'
import { turnDelta } from '../../../../src/turns/delta.ts'
import { compareTurns, type BlockRow } from './compare.ts'
import type { LogEvent } from './log.ts'

/** `draft`: as it was opened. `as_sent`: as it was when a request was made of it, behind all middleware. `latest`: as it stands now. */
export type StatePhase = 'draft' | 'as_sent' | Phase | 'latest'

/** A turn as it stood at one moment. */
export interface TurnState {
  /** Unique within the turn, and the same for the same moment: `draft`, `pre_inference.0`, `as_sent.0~2`, `final`. */
  readonly key: string
  readonly phase: StatePhase
  /** Of the loop, from 0. */
  readonly iteration: number
  readonly ordinal: number
  readonly at: string
  readonly turn: Turn
  /** Who made and changed each block, in order; as many as there are blocks. */
  readonly touches: readonly BlockTouches[]
}

/** One who has made or changed a block. */
export interface Touch {
  readonly by: string
  readonly act: 'made' | 'changed'
  readonly ordinal: number
  readonly turnId: string
}
export type BlockTouches = readonly Touch[]

/** An edit of the turn by a middleware, the tool loop or a person: what it did to the blocks that it touched. */
export interface RecordedEdit {
  readonly by: string
  readonly ordinal: number
  readonly at: string
  readonly inferenceId: string
  /** Without those that stayed as they were. */
  readonly rows: readonly BlockRow[]
  readonly metadata: readonly string[]
  readonly data: readonly string[]
}

/** What the log says of one turn. */
export interface RecordedTurn {
  readonly turnId: string
  /** The turn that it goes on from, of this session. */
  readonly base?: string
  /** The turn of another session that it was forked from. */
  readonly origin?: NonNullable<EventOf<'turn-opened'>['origin']>
  readonly ordinal: number
  readonly at: string
  readonly inferenceIds: readonly string[]
  /** Whether the log has all of it: without the turn that it goes on from, only what came since is known. */
  readonly isWhole: boolean
  readonly states: readonly TurnState[]
  /** As it stands at the end of the log. */
  readonly latest: TurnState
  readonly edits: readonly RecordedEdit[]
}

interface Draft {
  readonly opened: EventOf<'turn-opened'>
  readonly inferenceIds: Set<string>
  readonly isWhole: boolean
  readonly states: TurnState[]
  readonly edits: RecordedEdit[]
  turn: Turn
  touches: readonly BlockTouches[]
  iteration: number
  last: InferenceEvent
}

/**
 * The turns of a log, in the order in which they were opened, each with its states: the fold of the events, looked at on
 * the way. A turn whose base is not in the log begins with what its delta says alone.
 */
export function recordTurns(events: readonly LogEvent[]): readonly RecordedTurn[] {
  const drafts = new Map<string, Draft>()
  for (const event of events) {
    if (event.type === 'unknown') continue
    if (event.type === 'turn-opened') open(drafts, event)
    const draft = drafts.get(event.turnId)
    if (draft !== undefined) add(draft, event)
  }
  return [...drafts.values()].map((draft) => {
    const { opened, inferenceIds, states, edits, last } = draft
    return {
      turnId: opened.turnId,
      ...(opened.base !== undefined && { base: opened.base }),
      ...(opened.origin !== undefined && { origin: opened.origin }),
      ordinal: opened.ordinal,
      at: opened.at,
      inferenceIds: [...inferenceIds],
      isWhole: draft.isWhole,
      states,
      latest: stateAt(draft, 'latest', 'latest', last),
      edits,
    }
  })
}

/** The state of this key; of several with one phase, `as_sent` say, the last. */
export function stateOf(turn: RecordedTurn, key: string): TurnState | undefined {
  if (key === turn.latest.key) return turn.latest
  return turn.states.find((state) => state.key === key) ?? turn.states.findLast(({ phase }) => phase === key)
}

const phaseNames: Readonly<Record<StatePhase, string>> = {
  draft: 'Draft',
  pre_inference: 'Before the model',
  as_sent: 'As sent',
  post_inference: 'After the model',
  post_tools: 'After tools',
  final: 'Final',
  latest: 'Now',
}

/** The states that there are to look at; of a turn that is not at its end, with what it is now. */
export function shownStates({ states, latest }: RecordedTurn): readonly TurnState[] {
  return states.at(-1)?.turn === latest.turn ? states : [...states, latest]
}

/** What people call a state, counted where its turn has several of the kind. */
export function nameOfState({ states }: RecordedTurn, { phase, iteration, key }: TurnState): string {
  const hasMore = states.some((each) => each.iteration > 0)
  const isNumbered = hasMore && phase !== 'draft' && phase !== 'final' && phase !== 'latest'
  const attempt = /attempt-\d+/.exec(key)?.[0].replace('-', ' ')
  const again = key.includes('~') && 'again'
  return [phaseNames[phase], isNumbered && String(iteration + 1), attempt, again].filter(Boolean).join(' ')
}

function open(drafts: Map<string, Draft>, event: EventOf<'turn-opened'>): void {
  const base = event.base === undefined ? undefined : drafts.get(event.base)
  const before = base?.turn ?? createTurn()
  const turn = applyEvent(before, event)
  const by = event.origin === undefined ? 'prompt' : 'fork'
  const touches = touchesAfter(before, turn, base?.touches ?? [], { by, act: 'made', ...placeOf(event) })
  const isWhole = event.base === undefined || base?.isWhole === true
  const start = { isWhole, turn, touches, iteration: 0, last: event }
  const draft: Draft = { opened: event, inferenceIds: new Set(), states: [], edits: [], ...start }
  drafts.set(event.turnId, draft)
  look(draft, 'draft', 'draft', event)
}

function add(draft: Draft, event: InferenceEvent): void {
  draft.last = event
  if (event.inferenceId !== undefined) draft.inferenceIds.add(event.inferenceId)
  if (event.type === 'phase-reached') {
    draft.iteration = event.iteration
    return look(draft, event.phase, `${event.phase}.${event.iteration}`, event)
  }
  if (event.type === 'provider-call-started') {
    const retry = event.attempt === 1 ? '' : `.attempt-${event.attempt}`
    return look(draft, 'as_sent', `as_sent.${draft.iteration}${retry}`, event)
  }
  if (event.type === 'turn-opened') return
  const { turn: before, touches } = draft
  draft.turn = applyEvent(before, event)
  if (event.type === 'turn-edited') applyEdit(draft, before, event)
  else if (event.type !== 'provider-call-finished') {
    const by = event.type === 'tool-result-ready' ? event.toolName : 'model'
    draft.touches = touchesAfter(before, draft.turn, touches, { by, act: 'made', ...placeOf(event) })
  }
  const isEnd =
    event.type === 'inference-finished' ||
    event.type === 'inference-stopped' ||
    event.type === 'inference-failed' ||
    event.type === 'inference-interrupted'
  if (isEnd) look(draft, 'final', 'final', event)
}

function look(draft: Draft, phase: StatePhase, key: string, event: InferenceEvent): void {
  // A process that goes on from a dead one's last whole step comes to the same place again.
  const times = draft.states.filter((state) => state.key.split('~')[0] === key).length
  draft.states.push(stateAt(draft, phase, times === 0 ? key : `${key}~${times + 1}`, event))
}

function stateAt(
  { turn, touches, iteration }: Draft,
  phase: StatePhase,
  key: string,
  { ordinal, at }: InferenceEvent,
): TurnState {
  return { key, phase, iteration, ordinal, at, turn, touches }
}

function placeOf({ ordinal, turnId }: InferenceEvent): Pick<Touch, 'ordinal' | 'turnId'> {
  return { ordinal, turnId }
}

/** What stays keeps its touches; what is new has this one. */
function touchesAfter(
  before: Turn,
  after: Turn,
  touches: readonly BlockTouches[],
  touch: Touch,
): readonly BlockTouches[] {
  if (before.blocks === after.blocks) return touches
  const { head, add: added, tail } = turnDelta(before, after)
  return [...touches.slice(0, head), ...added.map(() => [touch]), ...touches.slice(touches.length - tail)]
}

// Only what lies between the blocks that were left alone is compared: an edit costs what it changed.
function applyEdit(draft: Draft, before: Turn, event: EventOf<'turn-edited'>): void {
  const { head, tail } = event.delta
  const window = (turn: Turn): Turn => ({ ...turn, blocks: turn.blocks.slice(head, turn.blocks.length - tail) })
  const { rows, metadata, data } = compareTurns(window(before), window(draft.turn))
  const old = draft.touches
  const touched = rows.flatMap((row): readonly BlockTouches[] => {
    if (row.change === 'removed') return []
    const made = { by: event.by, ...placeOf(event) }
    if (row.change === 'added') return [[{ ...made, act: 'made' }]]
    const earlier = old[head + row.before] ?? []
    return [row.change === 'changed' ? [...earlier, { ...made, act: 'changed' }] : earlier]
  })
  draft.touches = [...old.slice(0, head), ...touched, ...old.slice(old.length - tail)]
  const { by, ordinal, at, inferenceId } = event
  const placed = rows.filter(({ change }) => change !== 'same').map((row) => shifted(row, head))
  draft.edits.push({ by, ordinal, at, inferenceId, rows: placed, metadata, data })
}

function shifted(row: BlockRow, by: number): BlockRow {
  switch (row.change) {
    case 'added':
      return { ...row, after: row.after + by }
    case 'removed':
      return { ...row, before: row.before + by }
    case 'same':
    case 'moved':
    case 'changed':
      return { ...row, before: row.before + by, after: row.after + by }
  }
}
