import { useCallback } from 'react'
import { useInfiniteQuery, useQuery, useQueryClient, type InfiniteData } from '@tanstack/react-query'
import { isGeppettoError } from '../../../src/errors.ts'
import type { SessionPage } from 'geppetto/client'
import { useClient } from './client.tsx'
import { isJsonObject, type Json } from './json.ts'

// What the server knows beside the logs of sessions: lists, profiles, pauses. It is asked for, and asked again.

const listLimit = 60
/** How often the list is asked for while it is looked at: nothing tells of sessions that another tab has made. */
const listMs = 10_000

/** The caller's sessions, page by page, the one that changed last first. */
export function useSessions() {
  const client = useClient()
  return useInfiniteQuery({
    queryKey: ['sessions'],
    queryFn: ({ pageParam }) => client.list({ limit: listLimit, ...(pageParam !== '' && { before: pageParam }) }),
    initialPageParam: '',
    getNextPageParam: (page: SessionPage) => page.before,
    select: ({ pages }: InfiniteData<SessionPage>) => pages.flatMap(({ sessions }) => sessions),
    refetchInterval: listMs,
  })
}

/** Asks for the list again, after something that changes it. */
export function useRefreshSessions(): () => void {
  const queries = useQueryClient()
  return useCallback(() => void queries.invalidateQueries({ queryKey: ['sessions'] }), [queries])
}

/** Who can answer. */
export interface Profile {
  readonly slug: string
  readonly description: string
  readonly tools: readonly { readonly name: string; readonly description: string }[]
  /** Whether a prompt may come with another system prompt and fewer tools. */
  readonly allows_overrides: boolean
  /** Dollars for a million tokens, when it is known. */
  readonly cost?: {
    readonly input: number
    readonly output: number
    readonly cache_read?: number
    readonly cache_write?: number
  }
}

export function useProfiles(): readonly Profile[] {
  const client = useClient()
  const { data } = useQuery({
    queryKey: ['profiles'],
    queryFn: async ({ signal }) => readProfiles(await client.ask('/api/profiles', { signal })),
    staleTime: 60_000,
  })
  return data ?? []
}

function readProfiles(answer: Json): readonly Profile[] {
  const profiles = isJsonObject(answer) ? answer['profiles'] : undefined
  if (!Array.isArray(profiles)) return []
  return profiles // our own server's list
}

/** A run that waits for somebody to look. */
export interface Pause {
  readonly pause_id: string
  readonly phase: string
  readonly summary: string
  /** When it goes on by itself, in milliseconds since 1970. */
  readonly deadline_ms: number
}

/** The pauses of a session, asked for while `isWaiting`. */
export function usePauses(sessionId: string, isWaiting: boolean): readonly Pause[] {
  const client = useClient()
  const { data } = useQuery({
    queryKey: ['steps', sessionId],
    queryFn: async ({ signal }) => client.ask(`/api/sessions/${encodeURIComponent(sessionId)}/steps`, { signal }),
    enabled: isWaiting,
    refetchInterval: 1_000,
    gcTime: 0,
  })
  const pauses = isJsonObject(data) ? data['pauses'] : undefined
  return isWaiting && Array.isArray(pauses) ? pauses : [] // our own server's list
}

/** Whether the server wants to know who asks. */
export function isUnauthenticated(error: unknown): boolean {
  return isGeppettoError(error, 'UNAUTHENTICATED')
}
