import { isJsonObject, type JsonObject } from '../../json.ts'
import {
  toolArguments,
  type Block,
  type OtherBlock,
  type ReasoningBlock,
  type TextBlock,
  type ToolCallBlock,
} from '../../turns/block.ts'
import { blockResultKey, partialKey, responseIdKey, sidecarKey } from '../../turns/keys.ts'
import { list, object, text } from '../wire.ts'
import type { Note } from './content.ts'
import type { Draft } from './draft.ts'
import { inputText as toolInput, itemText, providerName, saysTheSameCall } from './item.ts'
import { answering, replayable } from './replay.ts'

// What a model said, as the items that say it again: the item as it came, where it still says what the block says.

/** Where a block stands, and who hears of its repairs. */
export interface Said {
  readonly index: number
  /** Whether the server keeps items, so that an id alone names one. */
  readonly store: boolean
  readonly note: Note
}

interface OwnItem {
  readonly item: JsonObject
  /** Reasoning that only its id stood for. */
  readonly precededBy: readonly JsonObject[]
}

/** The names under which this provider's items are stored. */
const ownNames: ReadonlySet<string> = new Set([providerName, 'open-responses', 'openai_responses', 'open_responses'])

export function assistantDraft(block: TextBlock, said: Said): readonly Draft[] {
  const words = block.payload.text
  const own = ownItem(block)
  const place = placeOf(block, said)
  if (own !== undefined && own.item['type'] === 'message' && itemText(own.item) === words) {
    const item = replayable(own.item, said.store)
    return item === undefined ? [] : [...bareDrafts(own, said, place), { ...place, role: 'output', item }]
  }
  if (own !== undefined) said.note('edited-block', 'the text was changed after the model wrote it')
  if (words === '') {
    said.note('empty-block', 'there is nothing in it')
    return []
  }
  const phase = own === undefined ? undefined : text(own.item, 'phase')
  const id = own === undefined ? idOf(block.payload.item_id, 'msg') : {}
  const item =
    'id' in id
      ? {
          ...id,
          type: 'message',
          status: 'completed',
          content: [{ type: 'output_text', annotations: [], text: words }],
          role: 'assistant',
        }
      : { role: 'assistant', content: [{ type: 'output_text', text: words }], ...(phase !== undefined && { phase }) }
  return [{ ...place, role: 'output', item, isPartial: isCut(block) }]
}

/**
 * Reasoning goes back sealed, to the provider that sealed it, or not at all: its words alone are refused, and sent as
 * text they would be read as an answer.
 */
export function reasoningDrafts(block: ReasoningBlock, said: Said): readonly Draft[] {
  const place = { ...placeOf(block, said), role: 'reasoning' as const }
  const refuse = (repair: string, detail: string) => {
    said.note(repair, detail)
    return [place]
  }
  if (isCut(block)) return refuse('partial-reasoning', 'reasoning that was cut off has no seal')
  const { payload } = block
  const own = ownItem(block)
  if (own === undefined && isForeign(block)) return refuse('foreign-reasoning', 'reasoning of another provider')
  if (own !== undefined && !saysTheSameReasoning(own.item, block))
    return refuse('edited-block', 'reasoning was changed after the model sealed it')
  const item = own === undefined ? legacyReasoning(payload) : replayable(own.item, said.store)
  const isSealed = item !== undefined && (text(item, 'encrypted_content') ?? '') !== ''
  const isKept = said.store && item !== undefined && item['id'] !== undefined
  if (item === undefined || !(isSealed || isKept))
    return refuse('unsealed-reasoning', 'reasoning that the provider did not seal')
  return [
    ...(own === undefined ? [] : bareDrafts(own, said, place)),
    { ...place, item: { ...item, summary: list(item, 'summary') } },
  ]
}

function saysTheSameReasoning(item: JsonObject, { payload }: ReasoningBlock): boolean {
  const shown = itemText(item)
  const saysText = shown === '' || payload.text === undefined || payload.text === shown
  const seal = payload.encrypted_content
  return item['type'] === 'reasoning' && saysText && (seal === undefined || seal === text(item, 'encrypted_content'))
}

// Turns of older versions have the seal in the payload. A signature is Anthropic's or Gemini's.
function isForeign(block: ReasoningBlock): boolean {
  const { item_id: itemId, encrypted_content: seal, signature } = block.payload
  const writer = text(object(block.metadata ?? {}, blockResultKey.id) ?? {}, 'provider')
  if (hasSidecar(block) || signature !== undefined) return true
  if (writer !== undefined && !ownNames.has(writer)) return true
  return itemId === undefined && seal === undefined
}

function legacyReasoning(payload: ReasoningBlock['payload']): JsonObject {
  const summary = (payload.summary ?? []).filter((part) => isJsonObject(part) && typeof part['text'] === 'string')
  const seal = payload.encrypted_content
  return {
    ...idOf(payload.item_id, 'rs'),
    type: 'reasoning',
    ...(seal !== undefined && { encrypted_content: seal }),
    summary,
  }
}

/** The item of a call of one of our tools, and what stood before it. `callId` is the id that its result names. */
export function callItem(
  block: ToolCallBlock,
  callId: string,
  said: Said,
): { readonly item: JsonObject; readonly before: readonly Draft[] } {
  const { name, args } = block.payload
  const own = ownItem(block)
  const isCustom = own?.item['type'] === 'custom_tool_call' && typeof args === 'string'
  const says = own !== undefined && saysTheSameCall(own.item, name, args)
  if (own !== undefined && !says) said.note('edited-block', 'the call was changed after the model made it')
  const sentName = says ? name : toolName(name, said.note)
  const before = own === undefined || !says ? [] : bareDrafts(own, said, placeOf(block, said))
  const known = own !== undefined && says ? replayable(own.item, said.store) : undefined
  if (isCustom)
    return {
      item:
        known === undefined
          ? { type: 'custom_tool_call', call_id: callId, name: sentName, input: args }
          : { ...known, call_id: callId },
      before,
    }
  const written = known === undefined ? writtenArguments(block) : toolInput(known)
  const isObject = toolArguments(block) !== undefined
  if (!isObject) said.note('invalid-arguments', 'the arguments are no JSON object; {} is sent')
  const sent = isObject && written.trim() !== '' ? written : '{}'
  const id = own === undefined ? idOf(block.payload.item_id, 'fc') : {}
  const item =
    known === undefined
      ? { ...id, type: 'function_call', call_id: callId, name: sentName, arguments: sent }
      : { ...known, call_id: callId, arguments: sent }
  return { item, before }
}

function writtenArguments({ payload: { args } }: ToolCallBlock): string {
  return typeof args === 'string' ? args : JSON.stringify(args ?? {})
}

function toolName(name: string, note: Note): string {
  const sent = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed'
  if (sent !== name) note('renamed-tool', `the API takes no tool of the name ${JSON.stringify(name)}`)
  return sent
}

/** Items that have blocks of their own: one of these was not kept by the decoder. */
const notItems: ReadonlySet<string> = new Set([
  'reasoning',
  'function_call',
  'function_call_output',
  'custom_tool_call',
  'custom_tool_call_output',
])

/** An item that the provider gave and wants back, or a block of another kind that has text. */
export function otherDrafts(block: OtherBlock, said: Said): readonly Draft[] {
  const place = placeOf(block, said)
  if (block.rawKind !== 'provider_item') return textOfOther(block, said, place)
  const provider = text(block.payload, 'provider') ?? ''
  const item = object(block.payload, 'item')
  if (item === undefined || !ownNames.has(provider)) {
    said.note('foreign-item', `an item of ${provider === '' ? 'an unknown provider' : provider}`)
    return []
  }
  const type = text(item, 'type') ?? ''
  const sent = notItems.has(type) ? undefined : replayable(item, said.store)
  if (sent === undefined) {
    said.note('unsendable-item', `the API does not take this item back (${type === '' ? 'without a type' : type})`)
    return []
  }
  const own = { item, precededBy: list(block.payload, 'preceded_by').filter(isJsonObject) }
  const role = answering(sent)?.isAnswer === true ? 'answer' : 'output'
  return [...bareDrafts(own, said, place), { ...place, role, item: sent }]
}

function textOfOther(block: OtherBlock, said: Said, place: Place): readonly Draft[] {
  const value = text(block.payload, 'text') ?? ''
  if (value === '') {
    said.note('unknown-block', `blocks of kind ${JSON.stringify(block.rawKind ?? 'other')} are not sent`)
    return []
  }
  const role = block.role === 'user' || block.role === 'system' ? block.role : 'assistant'
  const isInput = role !== 'assistant'
  const content = [{ type: isInput ? 'input_text' : 'output_text', text: value }]
  return [{ ...place, role: isInput ? 'input' : 'output', item: { role, content } }]
}

/** Reasoning of which only the id came: the server has the rest of it where it keeps items, and nobody where it does not. */
function bareDrafts({ precededBy }: OwnItem, said: Said, place: Place): readonly Draft[] {
  if (precededBy.length === 0) return []
  if (said.store)
    return precededBy.map((item) => ({ ...place, role: 'reasoning', item: replayable(item, true) ?? item }))
  said.note('unsealed-reasoning', 'the reasoning before it was not sealed')
  return [{ ...place, role: 'reasoning' }]
}

type Place = Pick<Draft, 'block' | 'response'>

function placeOf(block: Block, said: Said): Place {
  const response = responseOf(block)
  return { block: said.index, ...(response !== undefined && { response }) }
}

/** The response that a block came in. */
export function responseOf(block: Block): string | undefined {
  return text(block.metadata ?? {}, responseIdKey.id)
}

export function isCut(block: Block): boolean {
  return block.metadata?.[partialKey.id] === true
}

/** What this provider sealed into the block, if it did. */
function ownItem(block: Block): OwnItem | undefined {
  const sidecar = object(block.metadata ?? {}, sidecarKey.id)
  const item = sidecar === undefined ? undefined : object(sidecar, 'item')
  if (sidecar === undefined || item === undefined || !ownNames.has(text(sidecar, 'provider') ?? '')) return undefined
  return { item, precededBy: list(sidecar, 'preceded_by').filter(isJsonObject) }
}

function hasSidecar(block: Block): boolean {
  return object(block.metadata ?? {}, sidecarKey.id) !== undefined
}

/** An id that the provider gave, for fields that have nothing else. An id of another kind is refused. */
function idOf(id: string | undefined, prefix: string): { readonly id?: string } {
  return id?.startsWith(prefix) === true ? { id } : {}
}
