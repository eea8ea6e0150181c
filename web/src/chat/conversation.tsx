import {
  memo,
  useEffect,
  useEffectEvent,
  useLayoutEffect,
  useMemo,
  useRef,
  type KeyboardEvent,
  type UIEvent,
} from 'react'
import { useVirtualizer } from '@tanstack/react-virtual'
import type { ClientSession } from 'geppetto/client'
import type { ActivityEntity, Entity, InferenceEntity, MessageEntity, NoticeEntity } from 'geppetto/timeline'
import { IconButton } from '../design/button.tsx'
import { Badge } from '../design/badge.tsx'
import { Notice } from '../design/notice.tsx'
import { useSessionView } from '../session/client.tsx'
import { AnswerFoot } from './answer-foot.tsx'
import { AssistantMessage, PendingMessage, UserMessage } from './message.tsx'
import { Reasoning } from './reasoning.tsx'
import { conversationRows, isOwnPrompt, type Row } from './rows.ts'
import { useAskAgain } from './send.ts'
import { ToolCard } from './tool-card.tsx'

/** What messages can ask of the page that they are on. */
export interface Asking {
  readonly sessionId: string
  /** The message that is being edited. */
  readonly editing: string | undefined
  /** The first message that was sent in this session, and not brought along by a fork. */
  readonly firstOwnId: string | undefined
  edit(messageId: string | undefined): void
  /** Asks again in place of the message. */
  again(message: MessageEntity, prompt: string): Promise<void>
}

/** What a row is about as high as, in pixels, before it is there: the more exact, the less a scroll has to be corrected. */
const heights: Readonly<Record<Exclude<Entity['kind'], 'message'>, number>> = {
  reasoning: 40,
  'tool-call': 54,
  activity: 36,
  notice: 58,
  inference: 50,
}
const [lineHeight, lineLength] = [24, 90]

/** So near to the end is at the end. */
const endPx = 60
/** The page before this one is asked for when so few rows are left above. */
const earlierAt = 12

/** The messages of a session, of which those are there that are looked at. It stays at the end while it is at the end. */
export function Conversation({
  session,
  editing,
  onEdit,
}: {
  readonly session: ClientSession
  /** The message that is being edited. */
  readonly editing: string | undefined
  readonly onEdit: (messageId: string | undefined) => void
}) {
  const view = useSessionView(session)
  const { settled, live } = view.timeline
  const again = useAskAgain(session)
  const firstOwnId = useMemo(() => (settled.find(isOwnPrompt) ?? live.find(isOwnPrompt))?.id, [settled, live])
  const asking = useMemo<Asking>(
    () => ({ sessionId: session.id, editing, firstOwnId, edit: onEdit, again }),
    [session, editing, firstOwnId, onEdit, again],
  )
  const rows = useMemo(() => conversationRows(settled, live, view.pending), [settled, live, view.pending])
  const scroller = useRef<HTMLDivElement>(null)
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    getItemKey: (index) => rows[index]?.key ?? index,
    estimateSize: (index) => estimateOf(rows[index]),
    overscan: 6,
    paddingStart: 24,
    paddingEnd: 24,
    anchorTo: 'end',
    followOnAppend: true,
    scrollEndThreshold: endPx,
  })
  const items = list.getVirtualItems()

  // It begins at its end, and stays there until somebody goes elsewhere: rows that grow, and a window that changes, move it.
  const isAtEnd = useRef(true)
  const height = list.getTotalSize()
  const windowHeight = list.scrollRect?.height
  useLayoutEffect(() => {
    const { current: element } = scroller
    if (element !== null && isAtEnd.current) element.scrollTop = element.scrollHeight
  }, [height, windowHeight])
  const onScroll = ({ currentTarget: { scrollHeight, scrollTop, clientHeight } }: UIEvent) => {
    isAtEnd.current = scrollHeight - scrollTop - clientHeight <= endPx
  }

  // Whoever says something wants to see it.
  const said = view.pending.length
  const toEnd = useEffectEvent(() => list.scrollToEnd())
  useEffect(() => {
    if (said > 0) toEnd()
  }, [said])

  const first = items[0]?.index ?? earlierAt
  const { hasEarlier } = view
  useEffect(() => {
    if (hasEarlier && first < earlierAt) void session.loadEarlier().catch(() => {}) // it is asked for again on the way up
  }, [session, hasEarlier, first])

  // A way as long as this is gone in one step: one that is drawn out would be broken off by every row that is measured.
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || (event.key !== 'Home' && event.key !== 'End')) return
    event.preventDefault()
    if (event.key === 'Home') list.scrollToOffset(0)
    else list.scrollToEnd()
  }
  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={scroller}
        onScroll={onScroll}
        onKeyDown={onKeyDown}
        tabIndex={0}
        role="log"
        aria-label="Conversation"
        aria-live="off"
        className="h-full overflow-y-auto"
      >
        <div className="relative mx-auto w-full max-w-3xl" style={{ height }}>
          {items.map((item) => {
            const row = rows[item.index]
            if (row === undefined) return null
            return (
              <div
                key={item.key}
                ref={list.measureElement}
                data-index={item.index}
                className="absolute inset-x-0 top-0 px-4 pb-3"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <RowView {...partsOf(row)} asking={asking} />
              </div>
            )
          })}
        </div>
      </div>
      {rows.length > 0 && !list.isAtEnd(2 * endPx) && (
        <IconButton
          icon="chevron-down"
          label="To the end"
          tone="plain"
          className="absolute bottom-3 left-1/2 -translate-x-1/2 rounded-full! shadow-float"
          onClick={() => list.scrollToEnd({ behavior: 'smooth' })}
        />
      )}
    </div>
  )
}

function estimateOf(row: Row | undefined): number {
  if (row === undefined) return 0
  if (row.kind === 'foot') return heights.inference
  const text = row.kind === 'pending' ? row.send.prompt : row.entity.kind === 'message' ? row.entity.text : undefined
  if (text === undefined) return row.kind === 'entity' && row.entity.kind !== 'message' ? heights[row.entity.kind] : 0
  const isOwn = row.kind === 'pending' || (row.entity.kind === 'message' && row.entity.role === 'user')
  return Math.ceil(Math.max(text.length, 1) / lineLength) * lineHeight + (isOwn ? 64 : 12)
}

interface RowParts {
  readonly kind: Row['kind']
  readonly entity?: Exclude<Entity, InferenceEntity>
  readonly inference?: InferenceEntity
  readonly made?: readonly Entity[]
  readonly prompt?: string
}

/** A row's parts, which stay the same objects when the row is made anew. */
function partsOf(row: Row): RowParts {
  if (row.kind === 'entity') return { kind: row.kind, entity: row.entity }
  return row.kind === 'foot'
    ? { kind: row.kind, inference: row.inference, made: row.made }
    : { kind: row.kind, prompt: row.send.prompt }
}

const RowView = memo(({ entity, inference, made, prompt, asking }: RowParts & { readonly asking: Asking }) => {
  if (entity !== undefined) return <EntityView entity={entity} asking={asking} />
  if (inference !== undefined) return <AnswerFoot inference={inference} made={made ?? []} asking={asking} />
  return <PendingMessage prompt={prompt ?? ''} />
})

function EntityView({
  entity,
  asking,
}: {
  readonly entity: Exclude<Entity, InferenceEntity>
  readonly asking: Asking
}) {
  switch (entity.kind) {
    case 'message':
      return entity.role === 'user' ? (
        <UserMessage entity={entity} asking={asking} />
      ) : (
        <AssistantMessage entity={entity} />
      )
    case 'reasoning':
      return <Reasoning entity={entity} />
    case 'tool-call':
      return <ToolCard entity={entity} sessionId={asking.sessionId} />
    case 'activity':
      return <Activity entity={entity} />
    case 'notice':
      return <SessionNotice entity={entity} />
  }
}

const activityEnds = ['done', 'completed', 'failed']

function Activity({ entity }: { readonly entity: ActivityEntity }) {
  const { activity, step, detail } = entity
  return (
    <p className="flex flex-wrap items-center gap-2 text-sm text-ink-soft">
      <Badge isLive={!activityEnds.includes(step)}>{activity.replaceAll('-', ' ')}</Badge>
      {step.replaceAll('-', ' ')}
      {detail !== undefined && <span className="wrap-anywhere text-ink-faint">{detail}</span>}
    </p>
  )
}

const noticeTones = { debug: 'neutral', info: 'neutral', warn: 'caution', error: 'negative' } as const

function SessionNotice({ entity }: { readonly entity: NoticeEntity }) {
  return <Notice tone={noticeTones[entity.level]}>{entity.message}</Notice>
}
