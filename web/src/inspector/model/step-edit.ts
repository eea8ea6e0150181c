import type { Block, Turn } from 'geppetto/turns'
import { messageOf } from '../../../../src/errors.ts'
import { decodeBlock } from '../../../../src/turns/decode.ts'
import { encodeBlock } from '../../../../src/turns/encode.ts'
import { isJsonObject, type Json, type JsonObject } from '../../session/json.ts'

/** What somebody wrote in place of a block: its text, or all of it as JSON; undefined for a block that is to go. */
export type BlockDraft = { readonly text: string } | undefined

type TextualBlock = Extract<Block, { kind: 'system' | 'user' | 'llm_text' }>

/** Whether a block is edited as its text; others are edited as JSON. */
export function hasText(block: Block): block is TextualBlock {
  return block.kind === 'system' || block.kind === 'user' || block.kind === 'llm_text'
}

/** What stands in the field when a block begins to be edited. */
export function draftText(block: Block): string {
  return hasText(block) ? block.payload.text : JSON.stringify(encodeBlock(block), null, 2)
}

/**
 * What is to be sent of all that somebody wrote while a run waited: `edit` as the server takes it, absent when nothing
 * was changed; or `problem`, a sentence that says what cannot be read. Drafts are by the index of their block, arguments
 * by the id of their call.
 */
export function readStepEdit(
  turn: Turn | undefined,
  drafts: ReadonlyMap<number, BlockDraft>,
  args: ReadonlyMap<string, string>,
): { readonly edit?: JsonObject; readonly problem?: string } {
  try {
    const given = [...args].map(([id, text]) => [id, argumentsOf(text)] as const)
    const edit = {
      ...(turn !== undefined && drafts.size > 0 && { blocks: editedBlocks(turn, drafts) }),
      ...(given.length > 0 && { arguments: Object.fromEntries(given) }),
    }
    return Object.keys(edit).length === 0 ? {} : { edit }
  } catch (error) {
    return { problem: messageOf(error) }
  }
}

function editedBlocks({ blocks }: Turn, drafts: ReadonlyMap<number, BlockDraft>): readonly JsonObject[] {
  return blocks.flatMap((block, index) => {
    const draft = drafts.get(index)
    if (draft !== undefined) return [editedBlock(block, index, draft.text)]
    return drafts.has(index) ? [] : [encodeBlock(block)]
  })
}

function editedBlock(block: Block, index: number, text: string): JsonObject {
  if (hasText(block)) return { ...encodeBlock(block), payload: { ...block.payload, text } as Json } // a payload is JSON
  return encodeBlock(decodeBlock(parse(text, `Block ${index}`), `block ${index}`))
}

function argumentsOf(text: string): JsonObject {
  const value = parse(text, 'The arguments')
  if (!isJsonObject(value)) throw new Error('The arguments must be a JSON object.')
  return value
}

function parse(text: string, what: string): Json {
  try {
    return JSON.parse(text) as Json // that is what it gives
  } catch (error) {
    throw new Error(`${what} cannot be read: ${messageOf(error)}`, { cause: error })
  }
}
