import type { ReactNode } from 'react'
import { Badge } from '../design/badge.tsx'
import { formatCost, formatCount } from './model/format.ts'
import { inputOf, outputOf, type Ledger, type LedgerRow, type TokenParts } from './model/ledger.ts'

const partNames: Readonly<Record<keyof TokenParts, string>> = {
  fresh: 'fresh',
  cacheRead: 'cache read',
  cacheWrite: 'cache write',
  visible: 'visible',
  reasoning: 'reasoning',
}

/** What each request used and cost, and whether that makes what the inference says. */
export function LedgerTable({ ledger, isPriced }: { readonly ledger: Ledger; readonly isPriced: boolean }) {
  const { rows, total, cost, addsUp, reported } = ledger
  return (
    <section aria-label="Usage and cost">
      <h3 className="mb-1 flex items-center gap-2 text-sm font-semibold">
        Tokens and cost
        {addsUp === true && <Badge tone="positive">adds up</Badge>}
        {addsUp === false && <Badge tone="negative">does not add up</Badge>}
      </h3>
      <div tabIndex={0} aria-label="Table of tokens and cost" className="overflow-x-auto rounded-xl border bg-surface">
        <table className="w-full text-right text-sm">
          <thead className="text-xs text-ink-faint">
            <tr>
              <th rowSpan={2} className="px-3 py-1 text-left font-normal">
                request
              </th>
              <th colSpan={4} className="border-l px-2 pt-1 text-center font-normal">
                input
              </th>
              <th colSpan={3} className="border-l px-2 pt-1 text-center font-normal">
                output
              </th>
              <th rowSpan={2} className="border-l px-3 py-1 font-normal">
                cost
              </th>
            </tr>
            <tr>
              {(['fresh', 'cacheRead', 'cacheWrite'] as const).map((part) => (
                <th key={part} className="px-2 pb-1 font-normal first:border-l">
                  {partNames[part]}
                </th>
              ))}
              <th className="px-2 pb-1 font-normal">sum</th>
              <th className="border-l px-2 pb-1 font-normal">visible</th>
              <th className="px-2 pb-1 font-normal">reasoning</th>
              <th className="px-2 pb-1 font-normal">sum</th>
            </tr>
          </thead>
          <tbody className="divide-y border-y">
            {rows.map((row) => (
              <tr key={`${row.providerCallId}.${row.attempt}`}>
                <RowHead row={row} />
                <Cells tokens={row.tokens} cost={row.cost} />
              </tr>
            ))}
          </tbody>
          <tfoot className="font-medium">
            <tr>
              <th className="px-3 py-1 text-left font-medium">all</th>
              <Cells tokens={total} cost={cost} />
            </tr>
            {addsUp === false && (
              <tr className="text-negative">
                <th className="px-3 py-1 text-left font-medium">as the inference says</th>
                <Cells tokens={reported} cost={undefined} />
              </tr>
            )}
          </tfoot>
        </table>
      </div>
      {cost === undefined && !isPriced && (
        <p className="mt-1 text-xs text-ink-faint">Neither the provider nor the profile says what a token costs.</p>
      )}
    </section>
  )
}

function RowHead({ row: { model, attempt, outcome } }: { readonly row: LedgerRow }) {
  return (
    <th scope="row" className="px-3 py-1 text-left font-normal whitespace-nowrap">
      {model}
      {attempt > 1 && <span className="text-ink-faint"> · attempt {attempt}</span>}
      {outcome !== 'finished' && <span className="text-ink-faint"> · {outcome}</span>}
    </th>
  )
}

function Cells({ tokens, cost }: { readonly tokens: TokenParts | undefined; readonly cost: number | undefined }) {
  const count = (value: number | undefined): ReactNode => (value === undefined ? '–' : formatCount(value))
  return (
    <>
      <Cell isFirst>{count(tokens?.fresh)}</Cell>
      <Cell>{count(tokens?.cacheRead)}</Cell>
      <Cell>{count(tokens?.cacheWrite)}</Cell>
      <Cell>{count(tokens && inputOf(tokens))}</Cell>
      <Cell isFirst>{count(tokens?.visible)}</Cell>
      <Cell>{count(tokens?.reasoning)}</Cell>
      <Cell>{count(tokens && outputOf(tokens))}</Cell>
      <Cell isFirst>{cost === undefined ? '–' : formatCost(cost)}</Cell>
    </>
  )
}

function Cell({ isFirst = false, children }: { readonly isFirst?: boolean; readonly children: ReactNode }) {
  return <td className={`px-2 py-1 font-mono text-xs ${isFirst ? 'border-l' : ''}`}>{children}</td>
}
