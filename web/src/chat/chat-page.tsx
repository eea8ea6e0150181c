import { useEffect, useState, type ReactNode } from 'react'
import { useParams } from '@tanstack/react-router'
import type { ClientSession } from 'geppetto/client'
import { isOpenInference } from '../../../src/timeline/entity.ts'
import { messageOf } from '../../../src/errors.ts'
import { Button } from '../design/button.tsx'
import { Notice } from '../design/notice.tsx'
import { useSession, useSessionState } from '../session/client.tsx'
import { isUnauthenticated, useRefreshSessions, useSessions } from '../session/queries.ts'
import { Composer } from './composer.tsx'
import { Connection } from './connection.tsx'
import { Conversation } from './conversation.tsx'
import { isOwnPrompt } from './rows.ts'
import { SessionMenu } from './session-menu.tsx'
import { useBegin, useSend } from './send.ts'
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
  const isStranger = useSessionState(session, ({ error }) => isUnauthenticated(error))
  const { data: sessions = [] } = useSessions()
  const title = sessions.find((each) => each.sessionId === sessionId)?.title ?? ''
  const head = (
    <>
      <Connection session={session} />
      <SessionMenu sessionId={sessionId} />
    </>
  )
  return (
    <Shell sessionId={sessionId} title={title} head={head}>
      {/* Another session is another conversation: nothing of this one's state is to stay. */}
      {isStranger ? <SignIn /> : <OpenConversation key={sessionId} session={session} />}
    </Shell>
  )
}

function OpenConversation({ session }: { readonly session: ClientSession }) {
  const [editing, setEditing] = useState<string>()
  return (
    <>
      <Conversation session={session} editing={editing} onEdit={setEditing} />
      <Dock session={session} onEdit={setEditing} />
    </>
  )
}

/** What stands under the messages: why nothing more can be said, or where to say it. */
function Dock({
  session,
  onEdit,
}: {
  readonly session: ClientSession
  readonly onEdit: (messageId: string | undefined) => void
}) {
  const { send, refusal } = useSend(session)
  const running = useSessionState(session, ({ timeline }) => timeline.live.find(isOpenInference)?.id)
  const closed = useSessionState(session, ({ status, error }) => (status === 'closed' ? error : undefined))
  // What the list says of the session is another thing when an answer has begun or ended.
  const refresh = useRefreshSessions()
  useEffect(refresh, [refresh, running])
  const editLast = () => {
    const { timeline } = session.getSnapshot()
    onEdit((timeline.live.findLast(isOwnPrompt) ?? timeline.settled.findLast(isOwnPrompt))?.id)
  }
  return (
    <div className="shrink-0 space-y-2 px-3 pb-3">
      <p role="status" className="sr-only">
        {running === undefined ? 'No answer is being written' : 'An answer is being written'}
      </p>
      {refusal !== undefined && (
        <Problem text={`“${refusal.prompt}” was not sent: ${messageOf(refusal.error)}`}>
          <Button icon="retry" onClick={() => send(refusal.prompt, refusal.attachments)}>
            Send again
          </Button>
        </Problem>
      )}
      {closed === undefined ? (
        <Composer
          draftName={session.id}
          isAnswering={running !== undefined}
          onSend={send}
          onStop={() => void session.cancel({ reason: 'stopped by hand' }).catch(() => {})}
          onEditLast={editLast}
        />
      ) : (
        <Problem text={closed.message} />
      )}
    </div>
  )
}

function Problem({ text, children }: { readonly text: string; readonly children?: ReactNode }) {
  return (
    <div role="alert" className="mx-auto mb-2 w-full max-w-3xl">
      <Notice tone="negative" actions={children}>
        {text}
      </Notice>
    </div>
  )
}
