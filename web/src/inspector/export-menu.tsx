import { useState } from 'react'
import { encodeEvent } from '../../../src/events/codec.ts'
import { messageOf } from '../../../src/errors.ts'
import { IconButton } from '../design/button.tsx'
import { Menu, MenuItem } from '../design/menu.tsx'
import { baseUrl } from '../session/base.ts'
import { storedToken } from '../session/token.ts'
import type { LogEvent } from './model/log.ts'
import { scriptOf } from './model/script.ts'

/** Takes the session away as a file. */
export function ExportMenu({
  sessionId,
  events,
}: {
  readonly sessionId: string
  readonly events: readonly LogEvent[]
}) {
  const [problem, setProblem] = useState<string>()
  const exportFile = async () => save(`${sessionId}.jsonl`, await exported(sessionId))
  const lines = () => new Blob(events.map((event) => `${JSON.stringify(encodeEvent(event))}\n`))
  return (
    <>
      <Menu trigger={<IconButton icon="more" label="Export" />}>
        <MenuItem
          icon="copy"
          onSelect={() => void exportFile().catch((error: unknown) => setProblem(messageOf(error)))}
        >
          The session, as a file to import
        </MenuItem>
        <MenuItem icon="play" onSelect={() => save(`${sessionId}.script.yaml`, new Blob([scriptOf(events)]))}>
          A script, for a test without a model
        </MenuItem>
        <MenuItem icon="queue" onSelect={() => save(`${sessionId}.events.jsonl`, lines())}>
          The events, as JSON lines
        </MenuItem>
      </Menu>
      {problem !== undefined && <span className="text-xs text-negative">{problem}</span>}
    </>
  )
}

async function exported(sessionId: string): Promise<Blob> {
  const token = storedToken()
  const response = await fetch(`${baseUrl}/api/sessions/${encodeURIComponent(sessionId)}/export`, {
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  })
  if (!response.ok) throw new Error(`The server refuses the export with ${response.status}.`)
  return response.blob()
}

function save(name: string, blob: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
