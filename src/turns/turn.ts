import type { JsonObject } from '../json.ts'
import type { Block, BlockKind } from './block.ts'

/**
 * The whole context of one model call and what it produced: system text, history, the new prompt, the answer.
 * `metadata` holds facts about the turn (ids, the result); `data` holds inputs that carry over to the next one.
 * Both are read and written through typed keys. A turn is a value: helpers return a new one that shares its blocks.
 */
export interface Turn {
  readonly id: string
  readonly blocks: readonly Block[]
  readonly metadata: JsonObject
  readonly data: JsonObject
  /** Fields that this version does not know, kept for the one that does. */
  readonly extra?: JsonObject
}

/** A turn of these blocks. Its id is empty until a session takes it in, unless one is given. */
export function createTurn(blocks: readonly Block[] = [], id = ''): Turn {
  return { id, blocks, metadata: {}, data: {} }
}

export function append(turn: Turn, ...blocks: readonly Block[]): Turn {
  return { ...turn, blocks: [...turn.blocks, ...blocks] }
}

export function prepend(turn: Turn, ...blocks: readonly Block[]): Turn {
  return { ...turn, blocks: [...blocks, ...turn.blocks] }
}

/** Puts `block` before the last one; at the end of an empty turn. */
export function insertBeforeLast(turn: Turn, block: Block): Turn {
  return { ...turn, blocks: turn.blocks.toSpliced(Math.max(turn.blocks.length - 1, 0), 0, block) }
}

export function replaceBlock(turn: Turn, index: number, block: Block): Turn {
  return { ...turn, blocks: turn.blocks.with(index, block) }
}

/** All blocks of one kind, in order. */
export function blocksOf<K extends BlockKind>(turn: Turn, kind: K): readonly Extract<Block, { kind: K }>[] {
  return turn.blocks.filter((block): block is Extract<Block, { kind: K }> => block.kind === kind)
}

/** What the model said in this turn: the text of the assistant blocks after the last prompt. */
export function answerText(turn: Turn): string {
  const from = turn.blocks.findLastIndex((block) => block.kind === 'user') + 1
  return turn.blocks
    .slice(from)
    .filter((block) => block.kind === 'llm_text')
    .map((block) => block.payload.text)
    .join('\n\n')
}
