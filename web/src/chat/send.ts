import { useCallback, useEffect, useState } from 'react'
import { useNavigate } from '@tanstack/react-router'
import type { Attachment, ClientSession } from 'geppetto/client'
import type { MessageEntity } from 'geppetto/timeline'
import { randomId } from '../../../src/client/chance.ts'
import { messageOf } from '../../../src/errors.ts'
import { useClient } from '../session/client.tsx'
import { deliverOutbox, putIntoOutbox, type Refusal } from '../session/outbox.ts'
import { useRefreshSessions } from '../session/queries.ts'
import { useChosenProfile } from './profile-choice.tsx'

export type SendPrompt = (prompt: string, attachments?: readonly Attachment[]) => void

/** Sends prompts to a session, those too that another page has left for it. `refusal` is the last that was not taken. */
export function useSend(session: ClientSession) {
  const put = usePut()
  const refresh = useRefreshSessions()
  const [refusal, setRefusal] = useState<Refusal>()
  const deliver = useCallback(() => {
    void deliverOutbox(session).then((refusals) => {
      if (refusals.length > 0) setRefusal(refusals.at(-1))
      refresh()
    })
  }, [session, refresh])
  useEffect(deliver, [deliver])
  const send: SendPrompt = (prompt, attachments = []) => {
    setRefusal(undefined)
    put(session.id, prompt, attachments)
    deliver()
  }
  return { send, refusal }
}

/** Begins a session with a prompt, and goes there. */
export function useBegin() {
  const client = useClient()
  const put = usePut()
  const open = useOpenSession()
  const [problem, setProblem] = useState<string>()
  const begin = async (prompt: string, attachments: readonly Attachment[]) => {
    const session = await client.create()
    put(session.id, prompt, attachments)
    await open(session.id)
  }
  const send: SendPrompt = (prompt, attachments = []) => {
    setProblem(undefined)
    begin(prompt, attachments).catch((error: unknown) => setProblem(messageOf(error)))
  }
  return { send, problem }
}

/** Asks again, with another text or the same: in a fork that ends before the message. */
export function useAskAgain(session: ClientSession) {
  const put = usePut()
  const open = useOpenSession()
  return useCallback(
    async (message: MessageEntity, prompt: string): Promise<void> => {
      const fork = await session.fork({ before: message.id })
      put(fork.id, prompt, attachmentsOf(message))
      await open(fork.id)
    },
    [session, put, open],
  )
}

/** Goes to a session's conversation. */
export function useOpenSession(): (sessionId: string) => Promise<void> {
  const navigate = useNavigate()
  return useCallback((sessionId) => navigate({ to: '/c/$sessionId', params: { sessionId } }), [navigate])
}

/** Leaves a prompt for the page of a session, which sends it. */
function usePut() {
  const profile = useChosenProfile()
  return useCallback(
    (sessionId: string, prompt: string, attachments: readonly Attachment[]) => {
      const outgoing = { key: randomId(), prompt, ...(profile !== undefined && { profile }) }
      putIntoOutbox(sessionId, outgoing, attachments)
    },
    [profile],
  )
}

function attachmentsOf({ images = [] }: MessageEntity): readonly Attachment[] {
  return images.flatMap((image): readonly Attachment[] => {
    if ('content' in image) return [{ type: 'image', mediaType: image.media_type, data: image.content }]
    return 'url' in image ? [{ type: 'image_url', url: image.url }] : []
  })
}
