import type { Block } from './block.ts'
import type { Turn } from './turn.ts'

export interface PrintOptions {
  /** Whether each line starts with the block's index and id. Default false. */
  readonly ids?: boolean
  /** Whether a block's role is its label. Default true. */
  readonly roles?: boolean
  /** Whether tool calls show arguments and results. Default true. */
  readonly toolDetail?: boolean
  /** Spaces before each line. Default 0. */
  readonly indent?: number
  /** The most lines of one text; 0, the default, for all. */
  readonly maxTextLines?: number
}

/** A turn as people read it: one paragraph a block. */
export function printTurn(turn: Turn, options: PrintOptions = {}): string {
  const margin = ' '.repeat(options.indent ?? 0)
  return turn.blocks
    .map((block, index) => {
      const prefix = options.ids === true ? `[${String(index).padStart(2, '0')}] id=${block.id ?? '-'} ` : ''
      return `${prefix}${printBlock(block, options)}`.replace(/^(?=.)/gm, margin)
    })
    .map((text) => `${text}\n`)
    .join('')
}

function printBlock(block: Block, options: PrintOptions): string {
  const label = options.roles === false ? block.kind : (block.role ?? block.kind)
  switch (block.kind) {
    case 'system':
    case 'llm_text':
      return `${label}: ${shownText(block.payload.text, options)}`
    case 'user':
      return `${label}: ${shownText(block.payload.text, options)}${imageNote(block.payload.images?.length ?? 0)}`
    case 'reasoning':
      return `reasoning: ${block.payload.text ? shownText(block.payload.text, options) : sealedText(block.payload)}`
    case 'tool_call':
      return options.toolDetail === false
        ? `tool_call: ${block.payload.name}`
        : `tool_call: name=${block.payload.name} id=${block.payload.id}\n  args: ${JSON.stringify(block.payload.args)}`
    case 'tool_use':
      return printResult(block, options)
    case 'other':
      return `${block.rawKind ?? 'other'}: ${options.toolDetail === false ? '…' : JSON.stringify(block.payload)}`
  }
}

function printResult(block: Extract<Block, { kind: 'tool_use' }>, options: PrintOptions): string {
  const { id, result, error } = block.payload
  if (options.toolDetail === false) return `tool_use: id=${id}${error ? ` error=${error}` : ''}`
  const lines = [`tool_result: id=${id}`]
  if (error) lines.push(`  error: ${error}`)
  if (result !== undefined) lines.push(`  result: ${JSON.stringify(result)}`)
  return lines.join('\n')
}

function shownText(text: string, options: PrintOptions): string {
  if (text === '') return '<no text>'
  const most = options.maxTextLines ?? 0
  return most > 0 ? text.split('\n').slice(0, most).join('\n') : text
}

function sealedText(payload: { readonly encrypted_content?: string }): string {
  return payload.encrypted_content ? '<encrypted content>' : '<no content>'
}

function imageNote(images: number): string {
  return images === 0 ? '' : ` [${images} image${images === 1 ? '' : 's'}]`
}
