import { LineCounter, parseAllDocuments, stringify } from 'yaml'
import { GeppettoError, isGeppettoError, messageOf } from '../errors.ts'
import type { Json } from '../json.ts'
import { binaryAsBase64, decodeTurn, type Finding } from './decode.ts'
import { encodeTurn } from './encode.ts'
import { keyCatalogue } from './keys.ts'
import { pendingToolCalls } from './tool-calls.ts'
import type { Turn } from './turn.ts'

/** What a turn file may weigh. A file beyond it is refused with TURN_TOO_LARGE before it can do harm. */
export const documentLimits = {
  maxBytes: 32 * 1024 * 1024,
  maxDepth: 100,
  /** How often YAML anchors may be used, counted the way an alias bomb multiplies them. */
  maxAliases: 50,
} as const

/** The turn as YAML. Equal turns give equal text. */
export function turnToYaml(turn: Turn): string {
  return stringify(encodeTurn(turn), { lineWidth: 0, aliasDuplicateObjects: false, blockQuote: 'literal' })
}

/** The turn as JSON text, indented by two. */
export function turnToJson(turn: Turn): string {
  return `${JSON.stringify(encodeTurn(turn), null, 2)}\n`
}

/** Reads a turn file in YAML or JSON (JSON is YAML too). Throws TURN_INVALID or TURN_TOO_LARGE. */
export function turnFromText(text: string, note?: (finding: Finding) => void): Turn {
  return decodeTurn(readDocument(text), note)
}

/** Reads a turn file and says all that is worth saying of it; never throws for what the file holds. */
export function checkTurn(text: string): { readonly turn?: Turn; readonly findings: readonly Finding[] } {
  const findings: Finding[] = []
  try {
    const turn = turnFromText(text, (finding) => findings.push(finding))
    return { turn, findings: [...findings, ...undecodableKeys(turn), ...brokenToolCalls(turn)] }
  } catch (error) {
    const path = isGeppettoError(error) && typeof error.details['path'] === 'string' ? error.details['path'] : '$'
    return { findings: [...findings, { severity: 'error', path, message: messageOf(error) }] }
  }
}

function undecodableKeys(turn: Turn): Finding[] {
  const turnKeys = [...keyCatalogue['turn.metadata'], ...keyCatalogue['turn.data']]
  const inTurn = turnKeys.flatMap((key) => {
    const bag = key.family === 'turn.metadata' ? 'metadata' : 'data'
    return decodeProblem(() => key.get(turn), `$.${bag}["${key.id}"]`)
  })
  const inBlocks = turn.blocks.flatMap((block, index) =>
    keyCatalogue['block.metadata'].flatMap((key) =>
      decodeProblem(() => key.get(block), `$.blocks[${index}].metadata["${key.id}"]`),
    ),
  )
  return [...inTurn, ...inBlocks]
}

function decodeProblem(read: () => unknown, path: string): Finding[] {
  try {
    read()
    return []
  } catch (error) {
    return [{ severity: 'warning', path, message: messageOf(error) }]
  }
}

function brokenToolCalls(turn: Turn): Finding[] {
  const called = new Set(turn.blocks.flatMap((block) => (block.kind === 'tool_call' ? [block.payload.id] : [])))
  const orphans = turn.blocks.flatMap((block, index): Finding[] =>
    block.kind === 'tool_use' && !called.has(block.payload.id)
      ? [{ severity: 'warning', path: `$.blocks[${index}]`, message: `the result of a call that is not in the turn (${block.payload.id})` }]
      : [],
  )
  const pending = pendingToolCalls(turn).map((call): Finding => {
    const path = `$.blocks[${turn.blocks.indexOf(call)}]`
    return { severity: 'note', path, message: `tool call ${call.payload.id} (${call.payload.name}) has no result` }
  })
  return [...orphans, ...pending]
}

function readDocument(text: string): unknown {
  const bytes = text.length // a lower bound, and cheap: enough to stop a bomb
  if (bytes > documentLimits.maxBytes) throw tooLarge(`it has more than ${documentLimits.maxBytes} bytes`)
  const value = looksLikeJson(text) ? readJson(text) : readYaml(text)
  if (deeperThan(value, documentLimits.maxDepth)) throw tooLarge(`it is nested deeper than ${documentLimits.maxDepth}`)
  return value
}

function looksLikeJson(text: string): boolean {
  return /^\s*\{/.test(text)
}

// A text that only looks like JSON may still be YAML in flow style.
function readJson(text: string): unknown {
  try {
    return JSON.parse(text, exactNumbers) as Json
  } catch (error) {
    if (isGeppettoError(error)) throw error
    return readYaml(text)
  }
}

// ECMAScript hands the reviver the source text, so a number that a double cannot hold is seen before it is bent.
function exactNumbers(key: string, value: unknown, context?: { source?: string }): unknown {
  if (typeof value === 'number' && /^-?\d+$/.test(context?.source ?? '') && !Number.isSafeInteger(value)) {
    throw inexact(`${key}: ${context?.source ?? ''}`)
  }
  return value
}

function readYaml(text: string): unknown {
  try {
    const lines = new LineCounter()
    const documents = parseAllDocuments(text, { intAsBigInt: true, lineCounter: lines, version: '1.2', logLevel: 'silent' })
    if (documents.length > 1) throw new GeppettoError('TURN_INVALID', 'The file holds several YAML documents; a turn is one.')
    const [document] = documents
    const [error] = document?.errors ?? []
    if (error !== undefined) throw error
    return plainNumbers(binaryAsBase64(document?.toJS({ maxAliasCount: documentLimits.maxAliases })))
  } catch (error) {
    throw isGeppettoError(error) ? error : yamlError(error)
  }
}

function yamlError(error: unknown): GeppettoError {
  if (error instanceof RangeError) return tooLarge('it is nested too deeply', error)
  if (error instanceof ReferenceError) return tooLarge('it uses YAML aliases more often than a turn ever does', error)
  const [sentence = ''] = messageOf(error).split('\n')
  return new GeppettoError('TURN_INVALID', `The file is not valid YAML: ${sentence.replace(/:$/, '')}.`, { cause: error })
}

function plainNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') {
    if (!Number.isSafeInteger(Number(value))) throw inexact(String(value))
    return Number(value)
  }
  if (Array.isArray(value)) return value.map(plainNumbers)
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value // decodeTurn names it as not JSON
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainNumbers(item)]))
}

function deeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((item) => deeperThan(item, depth - 1))
}

function inexact(number: string): GeppettoError {
  return new GeppettoError('TURN_INVALID', `The turn holds a number that cannot be kept exactly (${number}); write it as text.`)
}

function tooLarge(why: string, cause?: unknown): GeppettoError {
  return new GeppettoError('TURN_TOO_LARGE', `The turn file is refused: ${why}.`, { cause })
}
