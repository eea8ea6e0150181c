import type { JsonObject } from '../../json.ts'
import { toolArguments, type ToolCallBlock } from '../../turns/block.ts'
import type { Note } from './content.ts'
import type { Draft } from './draft.ts'
import { inputText, saysTheSameCall } from './item.ts'
import { bareDrafts, idOf, ownItem, placeOf, type Said } from './own-item.ts'
import { replayable } from './replay.ts'

export interface SentCall {
  readonly item: JsonObject
  /** What stood before it. */
  readonly before: readonly Draft[]
}

/** The item of a call of one of our tools. `callId` is the id that its result names. */
export function sentCall(block: ToolCallBlock, callId: string, said: Said): SentCall {
  const { name, args, item_id: itemId } = block.payload
  const own = ownItem(block)
  const isCustom = own?.item['type'] === 'custom_tool_call' && typeof args === 'string'
  if (own !== undefined && saysTheSameCall(own.item, name, args)) {
    const item = { ...replayable(own.item, said.store), call_id: callId }
    const sent = isCustom ? item : { ...item, arguments: sendableArguments(block, inputText(own.item), said.note) }
    return { item: sent, before: bareDrafts(own, said, placeOf(block, said)) }
  }
  if (own !== undefined) said.note('edited-block', 'the call was changed after the model made it')
  const call = { call_id: callId, name: sendableName(name, said.note) }
  if (isCustom) return { item: { type: 'custom_tool_call', ...call, input: args }, before: [] }
  const id = own === undefined ? idOf(itemId, 'fc') : {}
  const written = sendableArguments(block, typeof args === 'string' ? args : JSON.stringify(args ?? {}), said.note)
  return { item: { ...id, type: 'function_call', ...call, arguments: written }, before: [] }
}

// OpenAI takes any text, but what stands behind others who speak this API wants an object.
function sendableArguments(block: ToolCallBlock, written: string, note: Note): string {
  if (toolArguments(block) === undefined) {
    note('invalid-arguments', 'the arguments are no JSON object; {} is sent')
    return '{}'
  }
  return written.trim() === '' || written === 'null' ? '{}' : written
}

function sendableName(name: string, note: Note): string {
  const sent = name.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed'
  if (sent !== name) note('renamed-tool', `the API takes no tool of the name ${JSON.stringify(name)}`)
  return sent
}
