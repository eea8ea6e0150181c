import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Badge } from '../design/badge.tsx'
import { IconButton } from '../design/button.tsx'
import { Icon } from '../design/icon.tsx'
import { Menu, MenuItem } from '../design/menu.tsx'
import { useClient } from '../session/client.tsx'
import { isJsonObject } from '../session/json.ts'
import { useOpenSession } from './send.ts'

/** What can be done with the conversation that is open, beside talking. */
export function SessionMenu({ sessionId }: { readonly sessionId: string }) {
  const client = useClient()
  const open = useOpenSession()
  const { isOn, set } = useSteps(sessionId)
  const fork = async () => {
    const forked = await client.session(sessionId).fork()
    await open(forked.id)
  }
  return (
    <>
      {isOn && <Badge tone="accent">Step by step</Badge>}
      <Link
        to="/inspect/$sessionId"
        params={{ sessionId }}
        aria-label="Inspect this conversation"
        title="Inspect this conversation"
        className="grid size-8 place-items-center rounded-lg text-ink-soft hover:bg-hover hover:text-ink"
      >
        <Icon name="inspect" />
      </Link>
      <Menu trigger={<IconButton icon="more" label="More on this conversation" />}>
        <MenuItem icon={isOn ? 'play' : 'pause'} onSelect={() => set(!isOn)}>
          {isOn ? 'Answer without pauses' : 'Pause at each step'}
        </MenuItem>
        <MenuItem icon="fork" onSelect={() => void fork().catch(() => {})}>
          Fork
        </MenuItem>
      </Menu>
    </>
  )
}

/** Whether the answers of a session wait between their steps for somebody to look. */
function useSteps(sessionId: string) {
  const client = useClient()
  const queries = useQueryClient()
  const path = `/api/sessions/${encodeURIComponent(sessionId)}/steps`
  const queryKey = ['steps', sessionId, 'enabled']
  const { data } = useQuery({ queryKey, queryFn: ({ signal }) => client.ask(path, { signal }) })
  const change = useMutation({
    mutationFn: (enabled: boolean) => client.ask(path, { method: 'POST', body: { enabled } }),
    onSuccess: (answer) => queries.setQueryData(queryKey, answer),
  })
  return {
    isOn: isJsonObject(data) && data['enabled'] === true,
    set: (enabled: boolean) => change.mutate(enabled),
  }
}
