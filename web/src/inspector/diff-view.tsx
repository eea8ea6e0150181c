import { useMemo } from 'react'
import type { Turn } from 'geppetto/turns'
import { canonicalJson } from '../../../src/json.ts'
import { Badge, type Tone } from '../design/badge.tsx'
import { classes } from '../design/classes.ts'
import { Fold } from '../design/fold.tsx'
import { BlockCard, nameOf, textOf } from './block-card.tsx'
import { compareTexts, compareTurns, countChanges, type BlockRow, type RowChange } from './model/compare.ts'
import type { BlockTouches } from './model/recorded-turns.ts'

export const changeTones: Readonly<Record<RowChange, Tone>> = {
  same: 'neutral',
  changed: 'caution',
  moved: 'accent',
  removed: 'negative',
  added: 'positive',
}

/** What became of each block of a turn, and of what is noted beside them. */
export function DiffView({
  before,
  after,
  touches = [],
}: {
  readonly before: Turn
  readonly after: Turn
  /** Of the blocks of the second turn. */
  readonly touches?: readonly BlockTouches[]
}) {
  const { rows, metadata, data } = useMemo(() => compareTurns(before, after), [before, after])
  const counts = countChanges(rows)
  return (
    <div className="space-y-2">
      <p className="flex flex-wrap gap-1.5" data-testid="diff-counts">
        {(['added', 'removed', 'changed', 'moved', 'same'] as const)
          .filter((change) => counts[change] > 0)
          .map((change) => (
            <Badge key={change} tone={changeTones[change]}>
              {counts[change]} {change}
            </Badge>
          ))}
      </p>
      {runsOf(rows).map((run) =>
        Array.isArray(run) ? (
          <Fold
            key={`same ${run[0]?.after}`}
            head={run.length === 1 ? '1 block stayed as it was' : `${run.length} blocks stayed as they were`}
          >
            <div className="mt-1 space-y-2">
              {run.map((row) => (
                <BlockCard key={row.after} block={row.to} index={row.after} touches={touches[row.after] ?? []} />
              ))}
            </div>
          </Fold>
        ) : (
          <DiffRow key={keyOf(run)} row={run} touches={run.change === 'removed' ? [] : (touches[run.after] ?? [])} />
        ),
      )}
      <KeyChanges name="Facts about the turn" keys={metadata} before={before.metadata} after={after.metadata} />
      <KeyChanges name="Inputs of the turn" keys={data} before={before.data} after={after.data} />
    </div>
  )
}

type SameRow = Extract<BlockRow, { readonly after: number; readonly to: unknown }> & { readonly change: 'same' }

/** Blocks that stayed, taken together; a lone one stands for itself. */
function runsOf(rows: readonly BlockRow[]): readonly (BlockRow | SameRow[])[] {
  const runs: (BlockRow | SameRow[])[] = []
  for (const row of rows) {
    const last = runs.at(-1)
    if (row.change !== 'same') runs.push(row)
    else if (Array.isArray(last)) last.push(row as SameRow) // its change has been looked at
    else runs.push([row as SameRow])
  }
  return runs
}

function keyOf(row: BlockRow): string {
  return `${row.change} ${row.change === 'added' ? '' : row.before} ${row.change === 'removed' ? '' : row.after}`
}

export function DiffRow({ row, touches }: { readonly row: BlockRow; readonly touches?: BlockTouches }) {
  const block = row.change === 'removed' ? row.from : row.to
  const index = row.change === 'removed' ? row.before : row.after
  const edges: Readonly<Record<RowChange, string>> = {
    same: '',
    changed: 'border-l-4 border-l-caution',
    moved: 'border-l-4 border-l-accent',
    removed: 'border-l-4 border-l-negative',
    added: 'border-l-4 border-l-positive',
  }
  return (
    <div>
      <p className="mb-0.5 text-xs text-ink-faint">
        <span className="font-medium text-ink-soft">{row.change}</span>
        {row.change === 'moved' && ` from ${row.before} to ${row.after}`}
        {row.change === 'changed' && row.before !== row.after && `, was block ${row.before}`}
      </p>
      <BlockCard block={block} index={index} {...(touches && { touches })} className={edges[row.change]}>
        {row.change === 'changed' && textOf(row.from) !== textOf(row.to) ? (
          <TextDiff before={textOf(row.from)} after={textOf(row.to)} what={nameOf(row.to)} />
        ) : undefined}
      </BlockCard>
    </div>
  )
}

/** What became of a text, word by word. */
export function TextDiff({
  before,
  after,
  what,
}: {
  readonly before: string
  readonly after: string
  readonly what: string
}) {
  return (
    <p
      tabIndex={0}
      aria-label={`Changes of ${what}`}
      className="max-h-72 overflow-y-auto text-sm whitespace-pre-wrap wrap-anywhere"
    >
      {compareTexts(before, after).map(({ change, text }, index) => {
        const key = `${index} ${change}`
        if (change === 'same') return <span key={key}>{text}</span>
        if (change === 'removed')
          return (
            <del key={key} className="bg-negative-wash text-negative">
              {text}
            </del>
          )
        return (
          <ins key={key} className="bg-positive-wash text-positive no-underline">
            {text}
          </ins>
        )
      })}
    </p>
  )
}

function KeyChanges({
  name,
  keys,
  before,
  after,
}: {
  readonly name: string
  readonly keys: readonly string[]
  readonly before: Turn['data']
  readonly after: Turn['data']
}) {
  if (keys.length === 0) return null
  return (
    <section className={classes('rounded-xl border bg-surface p-3 text-sm')}>
      <h3 className="mb-1 text-xs text-ink-faint">{name}</h3>
      <dl className="space-y-2">
        {keys.map((key) => (
          <div key={key}>
            <dt className="font-mono text-xs">{key}</dt>
            <dd>
              <TextDiff before={shown(before[key])} after={shown(after[key])} what={key} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function shown(value: Turn['data'][string] | undefined): string {
  return value === undefined ? '' : JSON.stringify(JSON.parse(canonicalJson(value)), null, 2)
}
