import { useQuery } from '@tanstack/react-query'
import { useClient } from '../session/client.tsx'
import { isJsonObject } from '../session/json.ts'
import type { Pause } from '../session/queries.ts'

/** Where the runs of a session wait, and those that wait now. */
export interface Steps {
  readonly isEnabled: boolean
  readonly phases: readonly string[]
  readonly pauses: readonly Pause[]
}

/** What the controller waits at when nobody says where. */
const defaultPhases = ['after_inference', 'after_tools']

/** The steps of a session, asked for again and again: a pause is soon over. */
export function useSteps(sessionId: string): Steps {
  const client = useClient()
  const { data } = useQuery({
    queryKey: ['steps', sessionId, 'debugger'],
    queryFn: async ({ signal }) => client.ask(`/api/sessions/${encodeURIComponent(sessionId)}/steps`, { signal }),
    refetchInterval: 700,
  })
  if (!isJsonObject(data) || data['enabled'] !== true) return { isEnabled: false, phases: [], pauses: [] }
  const { phases, pauses } = data
  return {
    isEnabled: true,
    phases: Array.isArray(phases) ? phases.map(String) : defaultPhases,
    pauses: Array.isArray(pauses) ? pauses : [], // our own server's list
  }
}
