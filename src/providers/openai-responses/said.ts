import { isJsonObject, type JsonObject } from '../../json.ts'
import type { OtherBlock, ReasoningBlock, TextBlock } from '../../turns/block.ts'
import { list, text } from '../wire.ts'
import type { Draft } from './draft.ts'
import { itemText } from './item.ts'
import { bareDrafts, idOf, isCut, isForeign, ownItem, ownItemIn, placeOf, type Place, type Said } from './own-item.ts'
import { answering, replayable } from './replay.ts'

// What a model said, as the items that say it again: the item as it came, where it still says what the block says.

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
  if (own === undefined && isOfOthers(block)) return refuse('foreign-reasoning', 'reasoning of another provider')
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
function isOfOthers(block: ReasoningBlock): boolean {
  const { item_id: itemId, encrypted_content: seal, signature } = block.payload
  return isForeign(block) || signature !== undefined || (itemId === undefined && seal === undefined)
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
  const own = ownItemIn(block.payload)
  if (own === undefined) {
    said.note('foreign-item', `an item of ${text(block.payload, 'provider') ?? 'an unknown provider'}`)
    return []
  }
  const type = text(own.item, 'type') ?? ''
  const sent = notItems.has(type) ? undefined : replayable(own.item, said.store)
  if (sent === undefined) {
    said.note('unsendable-item', `the API does not take this item back (${type === '' ? 'without a type' : type})`)
    return []
  }
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
