import { isJsonObject, jsonEqual, type JsonObject } from '../../json.ts'
import {
  toolArguments,
  type Block,
  type OtherBlock,
  type ReasoningBlock,
  type TextBlock,
  type ToolCallBlock,
  type ToolUsePayload,
  type UserBlock,
} from '../../turns/block.ts'
import { partialKey, sidecarKey, thoughtKey, thoughtSignatureKey } from '../../turns/keys.ts'
import { missingResult } from '../tool-answers.ts'
import { object, objects, text } from '../wire.ts'
import type { Note } from '../part.ts'
import { imageParts } from './images.ts'

// One block as the parts that say it. What Gemini gave goes back part by part as it came: a signature counts for its own
// part alone. ai.google.dev/gemini-api/docs/thought-signatures

export function textPart(words: string, note: Note): readonly JsonObject[] {
  if (words.trim() !== '') return [{ text: words }]
  note('empty-block', 'a text without words')
  return []
}

export function userParts({ payload }: UserBlock, note: Note): readonly JsonObject[] {
  const images = (payload.images ?? []).flatMap((image) => imageParts(image, note))
  return payload.text.trim() === '' && images.length > 0 ? images : [...textPart(payload.text, note), ...images]
}

export function answerParts(block: TextBlock, note: Note): readonly JsonObject[] {
  const said = block.payload.text
  const own = ownParts(block)
  if (own !== undefined && own.every(isSpoken) && textOf(own) === said) return own
  if (own !== undefined) note('edited-block', 'it was changed; its text is sent without the signature')
  const signature = own === undefined ? oldSignature(block) : undefined
  return signature === undefined ? textPart(said, note) : [{ text: said, thoughtSignature: signature }]
}

/** Thoughts are for people: what is signed goes back to Gemini, and nothing to it of anybody else's. */
export function thoughtParts(block: ReasoningBlock, note: Note): readonly JsonObject[] {
  const said = block.payload.text ?? ''
  const own = ownParts(block)
  if (block.metadata?.[partialKey.id] === true) note('partial-reasoning', 'it was cut off')
  else if (own !== undefined && own.every(isThought) && textOf(own) === said) return own.some(isSigned) ? own : []
  else if (own !== undefined) note('edited-block', 'thoughts that were changed are not sent')
  else {
    const signature = oldSignature(block)
    if (signature !== undefined) return [{ text: said, thought: true, thoughtSignature: signature }]
    if (block.metadata?.[thoughtKey.id] !== true)
      note('foreign-reasoning', 'only the provider that reasoned can use it')
  }
  return []
}

/** A call with its arguments as an object, whatever the block holds. */
export function callPart(block: ToolCallBlock, note: Note): JsonObject {
  const args = toolArguments(block)
  if (args === undefined) note('invalid-arguments', 'the arguments are no JSON object; {} is sent')
  const name = acceptedName(block.payload.name)
  if (name !== block.payload.name)
    note('renamed-tool', `the name ${JSON.stringify(block.payload.name)} is sent as ${JSON.stringify(name)}`)
  const call = { name, args: args ?? {} }
  const own = ownParts(block)
  const [part] = own ?? []
  if (part !== undefined && own?.length === 1 && saysCall(part, call)) return part
  if (own !== undefined) note('edited-block', 'the call was changed; it is sent without the signature')
  const signature = own === undefined ? oldSignature(block) : undefined
  return { functionCall: call, ...(signature !== undefined && { thoughtSignature: signature }) }
}

/** The answer to a call, under the name and, where Gemini gave one, the id of the call. */
export function responsePart(call: JsonObject, result: ToolUsePayload | undefined): JsonObject {
  const { id, name = '' } = object(call, 'functionCall') ?? {}
  return { functionResponse: { ...(id !== undefined && { id }), name, response: responseOf(result) } }
}

function responseOf(answer: ToolUsePayload | undefined): JsonObject {
  if (answer === undefined) return { error: missingResult }
  const { result, error } = answer
  if (error === undefined || error === '') return { result: result ?? null }
  return { error, ...(result !== undefined && result !== null && { result }) }
}

/** An item that Gemini gave and wants back as it was: code that it ran, what it searched, an image. */
export function itemParts(block: OtherBlock, note: Note): readonly JsonObject[] {
  const item = object(block.payload, 'item')
  const provider = text(block.payload, 'provider') ?? 'an unknown provider'
  if (provider !== 'gemini') note('foreign-item', `an item of ${provider}`)
  else if (item === undefined || !isSendable(item)) note('unsendable-item', 'an item that is no part of an answer')
  else if (item['thought'] !== true || item['thoughtSignature'] !== undefined) return [item]
  return []
}

/** The parts that Gemini gave for a block. */
function ownParts(block: Block): readonly JsonObject[] | undefined {
  const stored = block.metadata?.[sidecarKey.id]
  return isJsonObject(stored) && stored['provider'] === 'gemini'
    ? objects(object(stored, 'item') ?? {}, 'parts')
    : undefined
}

/** The signature of a block that an older version wrote, which kept nothing else. */
function oldSignature(block: Block): string | undefined {
  const signature = block.metadata?.[thoughtSignatureKey.id]
  return typeof signature === 'string' && signature !== '' ? signature : undefined
}

function isSpoken(part: JsonObject): boolean {
  return isText(part) && part['thought'] !== true
}

function isThought(part: JsonObject): boolean {
  return isText(part) && part['thought'] === true
}

// An empty text is refused unless it carries something.
function isText(part: JsonObject): boolean {
  return typeof part['text'] === 'string' && !hasCall(part) && (part['text'] !== '' || isSigned(part))
}

function isSigned(part: JsonObject): boolean {
  const signature = part['thoughtSignature']
  return typeof signature === 'string' && signature !== ''
}

function hasCall(part: JsonObject): boolean {
  return 'functionCall' in part || 'functionResponse' in part
}

/** Fields of a part that say something of its content and are none. */
const besideContent: ReadonlySet<string> = new Set([
  'thought',
  'thoughtSignature',
  'partMetadata',
  'mediaResolution',
  'mediaProcessing',
  'videoMetadata',
])

function isSendable(item: JsonObject): boolean {
  if ('text' in item) return isText(item)
  return !hasCall(item) && Object.keys(item).some((key) => !besideContent.has(key))
}

function textOf(parts: readonly JsonObject[]): string {
  return parts.map((part) => text(part, 'text') ?? '').join('')
}

function saysCall(part: JsonObject, call: { readonly name: string; readonly args: JsonObject }): boolean {
  const own = object(part, 'functionCall') ?? {}
  return own['name'] === call.name && jsonEqual(own['args'] ?? {}, call.args)
}

// "Must start with a letter or an underscore. Must be a-z, A-Z, 0-9, or contain underscores, dots, colons and dashes";
// 64 is what all versions of the API take. ai.google.dev/api/caching#FunctionDeclaration
function acceptedName(name: string): string {
  const accepted = name.replaceAll(/[^A-Za-z0-9_:.-]/g, '_').slice(0, 64)
  return /^[A-Za-z_]/.test(accepted) ? accepted : `_${accepted}`.slice(0, 64)
}
