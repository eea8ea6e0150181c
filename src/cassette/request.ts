import { sha256Hex } from '../sha256.ts'
import { canonicalJson, tryParseJson, type Json } from '../json.ts'
import type { FetchInit } from '../providers/transport.ts'
import type { LineOf } from './format.ts'

/** Query parameters that say how a provider is to answer. All others are left out: one may be a key. */
const keptQuery = ['alt', 'api-version']

/** Reply headers that an engine reads. All others are left out. */
const keptHeaders = ['content-type', 'retry-after', 'x-request-id', 'request-id'] as const

export type RequestContent = Omit<LineOf<'request'>, 'type' | 'exchange'>

/** What a cassette keeps of a request: nothing of its headers, and no part of its address that can hold a credential. */
export function requestContent(url: string, { method, body }: FetchInit): RequestContent {
  const canonical = canonicalJson(tryParseJson(body) ?? body)
  return {
    method,
    url: keptUrl(url),
    sha256: hash(canonical),
    sent_sha256: hash(body),
    body: JSON.parse(canonical) as Json, // canonicalJson made it
  }
}

export function replyHeaders(headers: { get(name: string): string | null }): Record<string, string> {
  return Object.fromEntries(
    keptHeaders.flatMap((name) => {
      const value = headers.get(name)
      return value === null ? [] : [[name, value]]
    }),
  )
}

function keptUrl(text: string): string {
  const { origin, pathname, searchParams } = new URL(text)
  const kept = keptQuery.flatMap((name) => {
    const value = searchParams.get(name)
    return value === null ? [] : [`${name}=${encodeURIComponent(value)}`]
  })
  return `${origin}${pathname}${kept.length === 0 ? '' : `?${kept.join('&')}`}`
}

function hash(text: string): string {
  return sha256Hex(text)
}
