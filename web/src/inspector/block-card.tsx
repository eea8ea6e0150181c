import type { ReactNode } from 'react'
import type { Block } from 'geppetto/turns'
import { encodeBlock } from '../../../src/turns/encode.ts'
import { Badge, type Tone } from '../design/badge.tsx'
import { classes } from '../design/classes.ts'
import { Fold } from '../design/fold.tsx'
import { JsonView } from '../design/json-view.tsx'
import type { Json } from '../session/json.ts'
import type { BlockTouches } from './model/recorded-turns.ts'

const kindNames: Readonly<Record<Block['kind'], string>> = {
  system: 'system',
  user: 'user',
  llm_text: 'answer',
  reasoning: 'reasoning',
  tool_call: 'tool call',
  tool_use: 'tool result',
  other: 'other',
}
const kindTones: Readonly<Record<Block['kind'], Tone>> = {
  system: 'caution',
  user: 'accent',
  llm_text: 'positive',
  reasoning: 'neutral',
  tool_call: 'neutral',
  tool_use: 'neutral',
  other: 'neutral',
}

/** A block of a turn: what it says, who made and changed it, and all that is stored of it. */
export function BlockCard({
  block,
  index,
  touches = [],
  children,
  className,
}: {
  readonly block: Block
  readonly index: number
  readonly touches?: BlockTouches
  /** In place of what it says. */
  readonly children?: ReactNode
  readonly className?: string
}) {
  return (
    <article aria-label={`Block ${index}`} className={classes('rounded-xl border bg-surface p-3', className)}>
      <div className="mb-1.5 flex flex-wrap items-center gap-1.5 text-xs">
        <span className="font-mono text-ink-faint">{index}</span>
        <Badge tone={kindTones[block.kind]}>{nameOf(block)}</Badge>
        {touches.map(({ by, act, ordinal }) => (
          <span key={`${by} ${ordinal}`} className="text-ink-faint">
            {act} by <span className="font-medium text-ink-soft">{by}</span>
          </span>
        ))}
      </div>
      {children ?? <BlockText block={block} />}
      <div className="mt-1.5">
        <Fold head="All that is stored">
          <div className="mt-1">
            <JsonView value={encodeBlock(block)} what="block" />
          </div>
        </Fold>
      </div>
    </article>
  )
}

function BlockText({ block }: { readonly block: Block }) {
  const value = saidBy(block)
  if (typeof value === 'string')
    return <p className="max-h-72 overflow-y-auto text-sm whitespace-pre-wrap wrap-anywhere">{value}</p>
  return <JsonView value={value} what={nameOf(block)} />
}

export function nameOf(block: Block): string {
  if (block.kind === 'tool_call') return `calls ${block.payload.name}`
  if (block.kind === 'other') return block.rawKind ?? 'other'
  return kindNames[block.kind]
}

/** What a block says, as text where it is one. */
function saidBy(block: Block): Json {
  switch (block.kind) {
    case 'system':
    case 'llm_text':
      return block.payload.text
    case 'user': {
      const { text, images = [] } = block.payload
      return images.length === 0 ? text : `${text}\n[${images.length} ${images.length === 1 ? 'image' : 'images'}]`
    }
    case 'reasoning':
      return block.payload.text ?? '(sealed)'
    case 'tool_call':
      return block.payload.args
    case 'tool_use':
      return block.payload.error ?? block.payload.result ?? null
    case 'other':
      return block.payload
  }
}

/** The same, always as text: what is compared. */
export function textOf(block: Block): string {
  const said = saidBy(block)
  return typeof said === 'string' ? said : JSON.stringify(said, null, 2)
}
