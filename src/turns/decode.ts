import { GeppettoError, messageOf } from '../errors.ts'
import { findNonJson, isJsonObject, type JsonObject } from '../json.ts'
import type { Block, BlockKind, ImagePart } from './block.ts'
import { blockKinds } from './block.ts'
import { imageSource } from './image.ts'
import { sessionIdKey } from './keys.ts'
import type { Turn } from './turn.ts'

/** Something that a reader of a turn file should know. An `error` means that the file is no turn. */
export interface Finding {
  readonly severity: 'error' | 'warning' | 'note'
  /** Where in the document, as `$.blocks[2].payload`. */
  readonly path: string
  readonly message: string
}
type Note = (finding: Finding) => void

const turnFields = new Set(['id', 'blocks', 'metadata', 'data', 'run_id'])
const blockFields = new Set(['id', 'kind', 'role', 'payload', 'metadata'])
const kinds: ReadonlySet<string> = new Set(blockKinds)

/**
 * Reads the stored form of a turn. Older and newer files are taken: a top-level `run_id` becomes the session id, unknown
 * kinds and fields are kept; `note` hears of each. Throws TURN_INVALID with the path of what is wrong.
 */
export function decodeTurn(value: unknown, note: Note = ignore): Turn {
  if (!isJsonObject(value)) throw invalid('$', 'a turn is an object with a list of blocks')
  const nonJson = findNonJson(value)
  if (nonJson !== undefined) throw invalid(nonJson, 'the value is not JSON (a number out of range, a date or a cycle)')
  const blocks = value['blocks'] ?? []
  if (!Array.isArray(blocks)) throw invalid('$.blocks', 'blocks must be a list')
  const turn: Turn = {
    id: optionalText(value['id'], '$.id') ?? '',
    blocks: blocks.map((block: unknown, index) => decodeBlock(block, `$.blocks[${index}]`, note)),
    metadata: record(value['metadata'], '$.metadata'),
    data: record(value['data'], '$.data'),
  }
  return withLegacyRunId(withExtra(turn, value, turnFields, '$', note), value['run_id'], note)
}

export function decodeBlock(value: unknown, path = '$', note: Note = ignore): Block {
  if (!isJsonObject(value)) throw invalid(path, 'a block is an object with a kind')
  const id = optionalText(value['id'], `${path}.id`)
  const rawKind = optionalText(value['kind'], `${path}.kind`) ?? ''
  const kind = kindOf(rawKind)
  const role = optionalText(value['role'], `${path}.role`)?.trim() || (kind === 'llm_text' ? 'assistant' : undefined)
  const metadata = value['metadata'] === undefined ? undefined : record(value['metadata'], `${path}.metadata`)
  const block = {
    kind,
    ...(id !== undefined && { id }),
    ...(role !== undefined && { role }),
    payload: decodePayload(kind, record(value['payload'], `${path}.payload`), `${path}.payload`, note),
    ...(metadata !== undefined && { metadata }),
    ...(kind === 'other' && rawKind !== '' && rawKind !== 'other' && { rawKind }),
  } as Block // decodePayload has checked the fields that this kind needs
  if (kind === 'other' && rawKind !== 'other') {
    note({ severity: 'note', path: `${path}.kind`, message: `unknown kind ${JSON.stringify(rawKind)}, kept as it is` })
  }
  return withExtra(block, value, blockFields, path, note)
}

function kindOf(rawKind: string): BlockKind {
  const kind = rawKind.trim().toLowerCase()
  return kinds.has(kind) ? (kind as BlockKind) : 'other' // the set holds exactly the kinds
}

function decodePayload(kind: BlockKind, payload: JsonObject, path: string, note: Note): object {
  switch (kind) {
    case 'system':
    case 'llm_text':
      return { ...payload, text: optionalText(payload['text'], `${path}.text`) ?? '' }
    case 'user':
      return {
        ...payload,
        text: optionalText(payload['text'], `${path}.text`) ?? '',
        ...(payload['images'] !== undefined && { images: decodeImages(payload['images'], `${path}.images`, note) }),
      }
    case 'reasoning':
      for (const field of ['text', 'encrypted_content', 'signature', 'item_id'])
        optionalText(payload[field], `${path}.${field}`)
      return payload
    case 'tool_call':
      return {
        ...payload,
        id: optionalText(payload['id'], `${path}.id`) ?? '',
        name: optionalText(payload['name'], `${path}.name`) ?? '',
        args: payload['args'] ?? {},
      }
    case 'tool_use':
      optionalText(payload['error'], `${path}.error`)
      return { ...payload, id: optionalText(payload['id'], `${path}.id`) ?? '' }
    case 'other':
      return payload
  }
}

// An image that cannot be sent is no reason to lose the turn: sending it fails, reading it does not.
function decodeImages(value: unknown, path: string, note: Note): readonly ImagePart[] {
  if (!Array.isArray(value)) throw invalid(path, 'images must be a list')
  return value.map((image: unknown, index) => {
    if (!isJsonObject(image)) throw invalid(`${path}[${index}]`, 'an image is an object')
    const part = image as unknown as ImagePart // imageSource checks it, here and before it is sent
    try {
      imageSource(part)
    } catch (error) {
      note({ severity: 'warning', path: `${path}[${index}]`, message: messageOf(error) })
    }
    return part
  })
}

function withExtra<T extends Turn | Block>(
  holder: T,
  value: JsonObject,
  known: ReadonlySet<string>,
  path: string,
  note: Note,
): T {
  const extra = Object.entries(value).filter(([key]) => !known.has(key))
  for (const [key] of extra) note({ severity: 'note', path: `${path}.${key}`, message: 'unknown field, kept as it is' })
  return extra.length === 0 ? holder : { ...holder, extra: Object.fromEntries(extra) }
}

function withLegacyRunId(turn: Turn, runId: unknown, note: Note): Turn {
  if (runId === undefined) return turn
  const path = '$.run_id'
  const sessionId = optionalText(runId, path) ?? ''
  const message = `run_id is the old name of the session id; write it as metadata "${sessionIdKey.id}"`
  note({ severity: 'warning', path, message })
  return sessionId === '' || Object.hasOwn(turn.metadata, sessionIdKey.id) ? turn : sessionIdKey.set(turn, sessionId)
}

function record(value: unknown, path: string): JsonObject {
  if (value === undefined || value === null) return {}
  if (isJsonObject(value)) return value
  throw invalid(path, 'must be an object')
}

function optionalText(value: unknown, path: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw invalid(path, `must be text, not ${Array.isArray(value) ? 'a list' : typeof value}`)
}

function invalid(path: string, problem: string): GeppettoError {
  return new GeppettoError('TURN_INVALID', `The turn cannot be read at ${path}: ${problem}.`, { details: { path } })
}

function ignore(): void {}
