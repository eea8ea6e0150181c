import type { InferenceResult, Usage } from 'geppetto/turns'
import { costOf, type ModelCost } from '../../../../src/inference/result.ts'
import type { LogEvent } from './log.ts'

/** Tokens by what they are. The first three make up the input, the last two the output: none is counted twice. */
export interface TokenParts {
  readonly fresh: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly visible: number
  readonly reasoning: number
}
const tokenParts = ['fresh', 'cacheRead', 'cacheWrite', 'visible', 'reasoning'] as const

/** One request, with what it used. */
export interface LedgerRow {
  readonly providerCallId: string
  readonly attempt: number
  readonly ordinal: number
  readonly model: string
  /** `discarded`: it failed and another followed; what it used was paid for all the same. */
  readonly outcome: 'finished' | 'discarded' | 'open'
  /** Absent when the provider has not said. */
  readonly tokens?: TokenParts
  /** US dollars; absent when the price is not known. */
  readonly cost?: number
}

export interface Ledger {
  readonly rows: readonly LedgerRow[]
  /** The sum of the rows. */
  readonly total: TokenParts
  readonly cost?: number
  /** What the inference itself says that it used; absent until it has ended. */
  readonly reported?: TokenParts
  /** Whether the rows make what the inference says; absent when it says nothing. */
  readonly addsUp?: boolean
}

const nothing: TokenParts = { fresh: 0, cacheRead: 0, cacheWrite: 0, visible: 0, reasoning: 0 }

/**
 * What an inference used, request by request. A cost that the result has is taken as it is; else it is made of the
 * tokens and `price`, when there is one.
 */
export function ledgerOf(events: readonly LogEvent[], inferenceId: string, price?: ModelCost): Ledger {
  const rows = new Map<string, LedgerRow>()
  let result: InferenceResult | undefined
  const update = (event: { providerCallId: string; attempt: number }, made: (row: LedgerRow) => LedgerRow) => {
    const key = `${event.providerCallId}.${event.attempt}`
    const row = rows.get(key)
    if (row !== undefined) rows.set(key, made(row))
  }
  for (const event of events) {
    if (event.type === 'unknown' || event.inferenceId !== inferenceId) continue
    switch (event.type) {
      case 'provider-call-started': {
        const { providerCallId, attempt, ordinal, model } = event
        rows.set(`${providerCallId}.${attempt}`, { providerCallId, attempt, ordinal, model, outcome: 'open' })
        break
      }
      case 'provider-call-metadata-updated':
        update(event, (row) => ({ ...row, ...spent(event.usage, undefined, price) }))
        break
      case 'attempt-discarded':
        update(event, (row) => ({ ...row, outcome: 'discarded' }))
        break
      case 'provider-call-finished': {
        const { usage, cost, model } = event.result
        update(event, (row) => ({
          ...row,
          outcome: 'finished',
          ...(model !== undefined && { model }),
          ...spent(usage, cost, price),
        }))
        break
      }
      case 'inference-finished':
      case 'inference-stopped':
      case 'inference-failed':
      case 'inference-interrupted':
        result = event.result
        break
      default:
    }
  }
  return totalOf([...rows.values()], result?.usage)
}

/** The sum of several ledgers, row by row. */
export function sumLedgers(ledgers: readonly Ledger[]): Ledger {
  return totalOf(ledgers.flatMap(({ rows }) => rows))
}

/** The tokens of a usage, taken apart. What a provider counts twice is the smaller part's. */
export function partsOf(usage: Usage): TokenParts {
  const cacheRead = usage.cache_read_input_tokens ?? usage.cached_tokens ?? 0
  const cacheWrite = usage.cache_creation_input_tokens ?? 0
  const reasoning = Math.min(usage.reasoning_tokens ?? 0, usage.output_tokens)
  return {
    fresh: Math.max(usage.input_tokens - cacheRead - cacheWrite, 0),
    cacheRead,
    cacheWrite,
    visible: usage.output_tokens - reasoning,
    reasoning,
  }
}

export function inputOf({ fresh, cacheRead, cacheWrite }: TokenParts): number {
  return fresh + cacheRead + cacheWrite
}

export function outputOf({ visible, reasoning }: TokenParts): number {
  return visible + reasoning
}

function spent(usage: Usage | undefined, cost: number | undefined, price: ModelCost | undefined): Partial<LedgerRow> {
  if (usage === undefined) return cost === undefined ? {} : { cost }
  const paid = cost ?? (price && costOf(usage, price))
  return { tokens: partsOf(usage), ...(paid !== undefined && { cost: paid }) }
}

function totalOf(rows: readonly LedgerRow[], usage?: Usage): Ledger {
  const total = rows.map(({ tokens = nothing }) => tokens).reduce(add, nothing)
  const costs = rows.flatMap(({ cost }) => (cost === undefined ? [] : [cost]))
  const reported = usage && partsOf(usage)
  return {
    rows,
    total,
    ...(costs.length > 0 && { cost: costs.reduce((sum, cost) => sum + cost, 0) }),
    ...(reported && { reported, addsUp: tokenParts.every((part) => reported[part] === total[part]) }),
  }
}

function add(left: TokenParts, right: TokenParts): TokenParts {
  return {
    fresh: left.fresh + right.fresh,
    cacheRead: left.cacheRead + right.cacheRead,
    cacheWrite: left.cacheWrite + right.cacheWrite,
    visible: left.visible + right.visible,
    reasoning: left.reasoning + right.reasoning,
  }
}
