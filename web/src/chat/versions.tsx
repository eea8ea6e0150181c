import { useNavigate } from '@tanstack/react-router'
import type { MessageEntity } from 'geppetto/timeline'
import { IconButton } from '../design/button.tsx'
import { useSessions } from '../session/queries.ts'
import { versionsAt } from './version-family.ts'

/** The way between the versions of a message: how it was first asked, and how it was asked instead. */
export function Versions({
  sessionId,
  message,
  isFirstOwn,
}: {
  readonly sessionId: string
  readonly message: MessageEntity
  readonly isFirstOwn: boolean
}) {
  const navigate = useNavigate()
  const { data: sessions = [] } = useSessions()
  const versions = versionsAt(sessions, sessionId, message.id, isFirstOwn)
  const at = versions.indexOf(sessionId)
  if (versions.length < 2 || at < 0) return null
  const go = (index: number) => {
    const to = versions[index]
    if (to !== undefined) void navigate({ to: '/c/$sessionId', params: { sessionId: to } })
  }
  return (
    <nav aria-label="Versions" className="flex items-center text-xs text-ink-faint tabular-nums">
      <IconButton
        size="small"
        icon="chevron-left"
        label="Version before"
        disabled={at === 0}
        onClick={() => go(at - 1)}
      />
      {at + 1}/{versions.length}
      <IconButton
        size="small"
        icon="chevron-right"
        label="Version after"
        disabled={at === versions.length - 1}
        onClick={() => go(at + 1)}
      />
    </nav>
  )
}
