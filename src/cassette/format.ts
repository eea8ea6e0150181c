import * as v from 'valibot'
import { GeppettoError } from '../errors.ts'
import { tryParseJson, type Json, type JsonObject } from '../json.ts'
import type { ImagePart } from '../turns/block.ts'

// The file: one JSON object a line. First the header, then what happened in its order, then a line that says it is whole.

export const cassetteFormat = 'geppetto-cassette'
export const cassetteVersion = 1

/** What a client asked of a run. More kinds may come: a reader passes over those that it does not know. */
export type CassetteCommand =
  | { readonly kind: 'prompt'; readonly text: string; readonly images?: readonly ImagePart[] }
  | { readonly kind: 'cancel'; readonly reason?: string; readonly ordinal?: number }

const json = v.custom<Json>((value) => value !== undefined)
const whole = v.pipe(v.number(), v.integer())
const cause = v.object({
  name: v.string(),
  message: v.string(),
  code: v.optional(v.string()),
  /** Whether the code is one of this library's. */
  own: v.optional(v.literal(true)),
})
const problem = v.object({ ...cause.entries, causes: v.optional(v.array(cause)) })

const lineSchema = v.variant('type', [
  /** Readings since the line before: of the clock, each as milliseconds since the one before it, and of `newId`. */
  v.object({
    type: v.literal('reads'),
    now: v.optional(v.array(whole)),
    monotonic: v.optional(v.array(whole)),
    ids: v.optional(v.array(v.string())),
  }),
  v.object({ type: v.literal('command'), command: v.looseObject({ kind: v.string() }) }),
  v.object({
    type: v.literal('request'),
    exchange: whole,
    method: v.string(),
    url: v.string(),
    /** SHA-256 of the body with sorted keys, and of the bytes as they were sent. */
    sha256: v.string(),
    sent_sha256: v.string(),
    body: json,
  }),
  v.object({
    type: v.literal('reply'),
    exchange: whole,
    ms: whole,
    status: whole,
    headers: v.record(v.string(), v.string()),
    no_body: v.optional(v.literal(true)),
  }),
  v.object({
    type: v.literal('chunk'),
    exchange: whole,
    ms: whole,
    text: v.optional(v.string()),
    base64: v.optional(v.pipe(v.string(), v.base64())),
  }),
  v.object({ type: v.literal('reply-end'), exchange: whole, ms: whole }),
  v.object({ type: v.literal('reply-error'), exchange: whole, ms: whole, error: problem }),
  v.object({
    type: v.literal('tool-call'),
    call: whole,
    tool: v.string(),
    tool_call_id: v.string(),
    /** Without what the tool's mask hides. */
    input: json,
  }),
  v.object({ type: v.literal('tool-progress'), call: whole, ms: whole, progress: json }),
  v.object({ type: v.literal('tool-result'), call: whole, ms: whole, result: json }),
  v.object({ type: v.literal('tool-error'), call: whole, ms: whole, error: problem }),
  /** A timer went off: the nth that was set. */
  v.object({ type: v.literal('timer'), timer: whole }),
  v.object({ type: v.literal('end'), lines: whole }),
])

const headerSchema = v.object({
  format: v.literal(cassetteFormat),
  version: whole,
  settings: v.optional(v.record(v.string(), json)),
})

export type CassetteLine = v.InferOutput<typeof lineSchema>
export type LineOf<Type extends CassetteLine['type']> = Extract<CassetteLine, { type: Type }>
export type RecordedCause = v.InferOutput<typeof cause>
export type RecordedError = v.InferOutput<typeof problem>

export interface CassetteContent {
  /** What the one who recorded wrote down to set up the same run. */
  readonly settings: JsonObject
  readonly lines: readonly CassetteLine[]
}

/** Reads a cassette. Throws CASSETTE_INVALID, which names the line, for a file that is none, is cut off or is newer. */
export function parseCassette(text: string): CassetteContent {
  const [first = '', ...rest] = text
    .replace(/^\uFEFF/, '')
    .trimEnd()
    .split('\n')
  const { settings = {} } = readHeader(first)
  const lines = rest.map((line, index) => readLine(line, index + 2))
  const end = lines.pop()
  if (end?.type !== 'end') throw invalid(`it breaks off after line ${rest.length + 1}; record it again`)
  if (end.lines !== lines.length) {
    throw invalid(`it should hold ${end.lines} lines between its first and its last, and holds ${lines.length}`)
  }
  const early = lines.findIndex(({ type }) => type === 'end')
  if (early !== -1) throw invalid(`it goes on after its end at line ${early + 2}`)
  return { settings, lines }
}

function readHeader(line: string): v.InferOutput<typeof headerSchema> {
  const header = v.safeParse(headerSchema, tryParseJson(line))
  if (!header.success) throw invalid(`its first line is not the header {"format":"${cassetteFormat}","version":1}`)
  const { version } = header.output
  if (version !== cassetteVersion) {
    throw invalid(`it is of version ${version}, and version ${cassetteVersion} can be read; use another geppetto`)
  }
  return header.output
}

function readLine(text: string, number: number): CassetteLine {
  const value = tryParseJson(text)
  if (value === undefined) throw invalid(`line ${number} is not JSON; the file is cut off or was changed`)
  const line = v.safeParse(lineSchema, value)
  if (line.success) return line.output
  const [issue] = line.issues
  throw invalid(`line ${number} is not what it should be at $.${v.getDotPath(issue) ?? ''}: ${issue.message}`)
}

function invalid(why: string): GeppettoError {
  return new GeppettoError('CASSETTE_INVALID', `This cassette cannot be replayed: ${why}.`)
}
