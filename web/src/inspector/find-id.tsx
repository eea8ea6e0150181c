import { useState } from 'react'
import { useNavigate } from '@tanstack/react-router'
import { messageOf } from '../../../src/errors.ts'
import { TextField } from '../design/field.tsx'
import { useClient } from '../session/client.tsx'
import { isJsonObject, type Json } from '../session/json.ts'

/** Goes to where an id is first told of: in this session, or in whichever the server finds it. */
export function FindId({ sessionId }: { readonly sessionId?: string }) {
  const client = useClient()
  const navigate = useNavigate()
  const [id, setId] = useState('')
  const [problem, setProblem] = useState<string>()
  const find = async () => {
    const wanted = id.trim()
    if (wanted === '') return
    const found = sessionsOf(await client.ask(`/api/trace/${encodeURIComponent(wanted)}`))
    const place = found.find((each) => each === sessionId) ?? found[0]
    if (place === undefined) return
    const search = place === wanted ? {} : { at: wanted }
    await navigate({ to: '/inspect/$sessionId', params: { sessionId: place }, search })
    setId('')
  }
  return (
    <form
      role="search"
      className="relative"
      onSubmit={(event) => {
        event.preventDefault()
        setProblem(undefined)
        find().catch((error: unknown) => setProblem(messageOf(error)))
      }}
    >
      <TextField
        label="Find any id"
        placeholder="Find any id"
        value={id}
        className="max-w-44 font-mono"
        aria-invalid={problem !== undefined}
        onChange={(event) => {
          setId(event.target.value)
          setProblem(undefined)
        }}
      />
      {problem !== undefined && (
        <p
          role="alert"
          className="absolute top-full right-0 z-20 mt-1 w-64 rounded-lg border bg-surface p-2 text-xs text-negative shadow-float wrap-anywhere"
        >
          {problem}
        </p>
      )}
    </form>
  )
}

function sessionsOf(answer: Json): readonly string[] {
  const traces = isJsonObject(answer) ? answer['traces'] : undefined
  if (!Array.isArray(traces)) return []
  return traces.flatMap((trace: Json) => {
    const place = isJsonObject(trace) ? trace['session_id'] : undefined
    return typeof place === 'string' ? [place] : []
  })
}
