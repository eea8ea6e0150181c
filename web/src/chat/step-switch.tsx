import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { IconButton } from '../design/button.tsx'
import { useClient } from '../session/client.tsx'
import { isJsonObject } from '../session/json.ts'

/** Whether the answers of a session wait between their steps for somebody to look. */
export function StepSwitch({ sessionId }: { readonly sessionId: string }) {
  const client = useClient()
  const queries = useQueryClient()
  const path = `/api/sessions/${encodeURIComponent(sessionId)}/steps`
  const { data } = useQuery({
    queryKey: ['steps', sessionId, 'enabled'],
    queryFn: ({ signal }) => client.ask(path, { signal }),
  })
  const isOn = isJsonObject(data) && data['enabled'] === true
  const change = useMutation({
    mutationFn: (enabled: boolean) => client.ask(path, { method: 'POST', body: { enabled } }),
    onSuccess: (answer) => queries.setQueryData(['steps', sessionId, 'enabled'], answer),
  })
  return (
    <IconButton
      icon="pause"
      label={isOn ? 'Answer without pauses' : 'Pause at each step'}
      aria-pressed={isOn}
      className={isOn ? 'bg-accent-wash text-accent-ink!' : ''}
      onClick={() => change.mutate(!isOn)}
    />
  )
}
