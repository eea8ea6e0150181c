import { useEffect, useMemo, useState } from 'react'
import { useParams } from '@tanstack/react-router'
import type { ClientSession, SessionView } from 'geppetto/client'
import type { Entity } from 'geppetto/timeline'
import { Notice } from '../design/notice.tsx'
import { useSession, useSessionView } from '../session/client.tsx'
import { isUnauthenticated, useRefreshSessions, useSessions } from '../session/queries.ts'
import { Composer } from './composer.tsx'
import { Connection } from './connection.tsx'
import { Conversation, type Asking } from './conversation.tsx'
import { SessionMenu } from './session-menu.tsx'
import { useAskAgain, useBegin, useSend } from './send.ts'
import { Shell } from './shell.tsx'
import { SignIn } from './sign-in.tsx'

const suggestions = [
  'What is 17 * 23?',
  'What time is it in Europe/Paris?',
  'Tell me a long story.',
  'Show me a table.',
]

/** Where a conversation begins. */
export function NewChatPage() {
  const { send, problem } = useBegin()
  const { error } = useSessions()
  return (
    <Shell title="">
      {isUnauthenticated(error) ? (
        <SignIn />
      ) : (
        <div className="flex min-h-0 flex-1 flex-col justify-center overflow-y-auto px-4 pb-[12dvh]">
          <h2 className="mb-6 text-center text-2xl font-semibold tracking-tight sm:text-3xl">What is on your mind?</h2>
          {problem !== undefined && <Problem text={problem} />}
          <Composer draftName="new" isAnswering={false} onSend={send} />
          <div className="mx-auto mt-4 flex max-w-3xl flex-wrap justify-center gap-2">
            {suggestions.map((prompt) => (
              <button
                key={prompt}
                type="button"
                onClick={() => send(prompt)}
                className="rounded-full border bg-surface px-3 py-1 text-sm text-ink-soft hover:border-line-strong hover:text-ink"
              >
                {prompt}
              </button>
            ))}
          </div>
        </div>
      )}
    </Shell>
  )
}

/** A conversation. */
export function ChatPage() {
  const { sessionId = '' } = useParams({ strict: false })
  const session = useSession(sessionId)
  const view = useSessionView(session)
  const { data: sessions = [] } = useSessions()
  const title = sessions.find((each) => each.sessionId === sessionId)?.title ?? ''
  const head = (
    <>
      <Connection view={view} />
      <SessionMenu sessionId={sessionId} />
    </>
  )
  return (
    <Shell sessionId={sessionId} title={title} head={head}>
      {isUnauthenticated(view.error) ? (
        <SignIn />
      ) : (
        // Another session is another conversation: nothing of this one's state is to stay.
        <OpenConversation key={sessionId} session={session} view={view} />
      )}
    </Shell>
  )
}

function OpenConversation({ session, view }: { readonly session: ClientSession; readonly view: SessionView }) {
  const { send, problem } = useSend(session)
  const again = useAskAgain(session)
  const [editing, setEditing] = useState<string>()
  const { settled, live } = view.timeline
  const firstOwnId = useMemo(() => settled.find(isOwnPrompt)?.id ?? live.find(isOwnPrompt)?.id, [settled, live])
  const asking = useMemo<Asking>(
    () => ({ sessionId: session.id, editing, firstOwnId, edit: setEditing, again }),
    [session, editing, firstOwnId, again],
  )
  const running = live.find((entity) => entity.kind === 'inference' && isAnswering(entity))
  const isClosed = view.status === 'closed'
  // What the list says of the session is another thing when an answer has begun or ended.
  const refresh = useRefreshSessions()
  useEffect(refresh, [refresh, running?.id])
  return (
    <>
      <Conversation session={session} view={view} asking={asking} />
      <p role="status" className="sr-only">
        {running === undefined ? 'No answer is being written' : 'An answer is being written'}
      </p>
      <div className="shrink-0 space-y-2 px-3 pb-3">
        {problem !== undefined && <Problem text={problem} />}
        {isClosed && <Problem text={view.error?.message ?? 'This conversation is closed.'} />}
        {!isClosed && (
          <Composer
            draftName={session.id}
            isAnswering={running !== undefined}
            onSend={send}
            onStop={() => void session.cancel({ reason: 'stopped by hand' }).catch(() => {})}
            onEditLast={() => setEditing([...settled, ...live].findLast(isOwnPrompt)?.id)}
          />
        )}
      </div>
    </>
  )
}

function isAnswering({ status }: Extract<Entity, { kind: 'inference' }>): boolean {
  return status === 'queued' || status === 'running' || status === 'waiting'
}

function isOwnPrompt(entity: Entity): boolean {
  return entity.kind === 'message' && entity.role === 'user' && entity.inferenceId !== undefined
}

function Problem({ text }: { readonly text: string }) {
  return (
    <div role="alert" className="mx-auto mb-2 w-full max-w-3xl">
      <Notice tone="negative">{text}</Notice>
    </div>
  )
}
