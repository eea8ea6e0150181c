import { useState } from 'react'
import { messageOf } from '../../../src/errors.ts'
import { Button } from '../design/button.tsx'
import { Notice } from '../design/notice.tsx'
import { useClient } from '../session/client.tsx'
import { usePauses, type Pause } from '../session/queries.ts'

/** The steps at which a run waits for somebody to look, each with a way on. */
export function Pauses({ sessionId }: { readonly sessionId: string }) {
  return usePauses(sessionId, true).map((pause) => (
    <PauseCard key={pause.pause_id} sessionId={sessionId} pause={pause} />
  ))
}

function PauseCard({ sessionId, pause }: { readonly sessionId: string; readonly pause: Pause }) {
  const client = useClient()
  const [problem, setProblem] = useState<string>()
  const [isSent, setIsSent] = useState(false)
  const goOn = () => {
    setIsSent(true)
    const path = `/api/sessions/${encodeURIComponent(sessionId)}/steps/${encodeURIComponent(pause.pause_id)}`
    client.ask(path, { method: 'POST', body: {} }).catch((error: unknown) => {
      setIsSent(false)
      setProblem(messageOf(error))
    })
  }
  const actions = (
    <Button tone="accent" icon="play" disabled={isSent} onClick={goOn}>
      Continue
    </Button>
  )
  return (
    <Notice tone="caution" icon="pause" actions={actions}>
      <strong className="font-semibold">Paused, {pause.phase.replaceAll('_', ' ')}.</strong> {pause.summary}
      <span className="block text-xs">
        {problem ?? `It goes on by itself at ${new Date(pause.deadline_ms).toLocaleTimeString()}.`}
      </span>
    </Notice>
  )
}
