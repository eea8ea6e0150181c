import * as v from 'valibot'
import { GeppettoError } from '../errors.ts'
import { isJsonObject, tryParseJson, type JsonObject } from '../json.ts'

/** Bytes of a request's body, where nothing else is said. */
export const bodyLimit = 1_048_576
/** Braces and brackets that may stand inside of each other. */
const depthLimit = 64

/**
 * Reads the body as JSON of the shape that `schema` says. Throws MEDIA_TYPE_UNSUPPORTED for another type of content (a
 * form of a foreign page can send no JSON), REQUEST_TOO_LARGE beyond `limit` bytes, REQUEST_INVALID for all else.
 */
export async function readJson<Schema extends v.GenericSchema>(
  request: Request,
  schema: Schema,
  limit = bodyLimit,
): Promise<v.InferOutput<Schema>> {
  requireJson(request)
  return parseAs(schema, objectOf(await readText(request, limit)))
}

/** As `readJson`, for a body that may be left out: without one it is as if it were `{}`. */
export async function readOptionalJson(request: Request): Promise<JsonObject> {
  const text = await readText(request)
  if (text.trim() === '') return {}
  requireJson(request)
  return objectOf(text)
}

function requireJson({ headers }: Request): void {
  const type = headers.get('content-type') ?? ''
  if (/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) return
  throw new GeppettoError('MEDIA_TYPE_UNSUPPORTED', 'The body must be JSON: send content-type: application/json.')
}

/** What `schema` makes of the value. Throws REQUEST_INVALID, naming what does not fit. */
export function parseAs<Schema extends v.GenericSchema>(schema: Schema, value: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const problems = result.issues.slice(0, 5).map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`)
  throw invalid(`${problems.join('; ')}.`)
}

// Whatever is asked for is asked for by names.
function objectOf(text: string): JsonObject {
  if (depthOf(text) > depthLimit) throw invalid(`The JSON of the body is nested more than ${depthLimit} deep.`)
  const value = tryParseJson(text)
  if (value === undefined) throw invalid('The body is not JSON.')
  if (!isJsonObject(value)) throw invalid('The body must be a JSON object.')
  return value
}

/** The body as text, never more of it in memory than `limit` bytes. */
async function readText(request: Request, limit = bodyLimit): Promise<string> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > limit) throw tooLarge(limit)
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > limit) throw tooLarge(limit)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

// Counted before it is parsed: whatever walks the value may do so by recursion.
function depthOf(text: string): number {
  let depth = 0
  let deepest = 0
  let isInString = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (isInString) {
      if (code === 0x5c) index += 1
      else if (code === 0x22) isInString = false
    } else if (code === 0x22) isInString = true
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, (depth += 1))
    else if (code === 0x7d || code === 0x5d) depth -= 1
  }
  return deepest
}

function invalid(message: string): GeppettoError {
  return new GeppettoError('REQUEST_INVALID', message)
}

function tooLarge(limit: number): GeppettoError {
  return new GeppettoError('REQUEST_TOO_LARGE', `The body has more than ${limit} bytes; send less.`, {
    details: { limit },
  })
}
