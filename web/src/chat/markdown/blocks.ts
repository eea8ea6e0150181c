import { Marked, type Token } from 'marked'
import remend from 'remend'
import { mathExtensions } from './math-syntax.ts'

// Markdown that grows. What was read stays the same object, so that a token of the model costs what the last paragraph
// weighs and not what the answer does, and nothing on the screen moves but its end.

/** A paragraph, a list, a table: what stands between two lines that belong to neither. */
export interface Block {
  /** Where it begins in the text. */
  readonly offset: number
  readonly raw: string
  readonly token: Token
}

export interface Document {
  readonly text: string
  readonly blocks: readonly Block[]
}

const marked = new Marked({ gfm: true, extensions: mathExtensions })

export const emptyDocument: Document = { text: '', blocks: [] }

/** Reads a text; what `before` has of it already is taken from there. */
export function readDocument(text: string, before: Document = emptyDocument): Document {
  if (text === before.text) return before
  const kept = text.startsWith(before.text) ? withoutOpenEnd(before.blocks) : []
  const last = kept.at(-1)
  const start = last === undefined ? 0 : last.offset + last.raw.length
  return { text, blocks: [...kept, ...readFrom(text.slice(start), start)] }
}

/** The block as it is to be shown while more of it may come: what was opened counts as closed. */
export function closedBlock(block: Block): Block {
  if (block.token.type === 'code') return block
  const raw = remend(block.raw, { linkMode: 'text-only', inlineKatex: false })
  return raw === block.raw ? block : { ...block, token: readFrom(raw, 0)[0]?.token ?? block.token }
}

// More text can make something else of the last block, and of none before it.
function withoutOpenEnd(blocks: readonly Block[]): readonly Block[] {
  const end = blocks.findLastIndex(({ token }) => token.type !== 'space')
  return blocks.slice(0, Math.max(end, 0))
}

function readFrom(text: string, start: number): readonly Block[] {
  let offset = start
  return marked.lexer(text).map((token) => {
    const block = { offset, raw: token.raw, token }
    offset += token.raw.length
    return block
  })
}
