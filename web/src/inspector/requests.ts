import { useQuery } from '@tanstack/react-query'
import { useClient } from '../session/client.tsx'
import { isJsonObject, type Json } from '../session/json.ts'
import type { LogEvent } from './model/log.ts'
import type { SentRequest } from './model/prompt-cache.ts'

/** The requests that a turn was answered with, asked for again when there are more of them. */
export function useRequests(sessionId: string, turnId: string | undefined, events: readonly LogEvent[]) {
  const client = useClient()
  const calls = events.filter((event) => event.type === 'provider-call-started' && event.turnId === turnId).length
  return useQuery({
    queryKey: ['requests', sessionId, turnId, calls],
    queryFn: async ({ signal }) => {
      const path = `/api/sessions/${encodeURIComponent(sessionId)}/turns/${encodeURIComponent(turnId ?? '')}/request`
      return readRequests(await client.ask(path, { signal }))
    },
    enabled: turnId !== undefined && calls > 0,
    placeholderData: (before, query) => (query?.queryKey[2] === turnId ? before : undefined),
  })
}

function readRequests(answer: Json): readonly SentRequest[] {
  const items = isJsonObject(answer) ? answer['items'] : undefined
  return Array.isArray(items) ? items.map(readRequest) : []
}

function readRequest(item: Json): SentRequest {
  const fields = isJsonObject(item) ? item : {}
  const text = (name: string) => {
    const value = fields[name]
    return typeof value === 'string' ? value : ''
  }
  return {
    ordinal: Number(fields['ordinal']),
    inferenceId: text('inference_id'),
    providerCallId: text('provider_call_id'),
    attempt: Number(fields['attempt']),
    provider: text('provider'),
    model: text('model'),
    body: fields['body'] ?? null,
    isExact: fields['is_exact'] === true,
    repairs: (fields['repairs'] ?? []) as SentRequest['repairs'], // our own server's list
  }
}
