import {
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type Document,
  type Node,
  type Pair,
  type Scalar,
} from 'yaml'
import { GeppettoError, isGeppettoError } from '../errors.ts'
import type { Json } from '../json.ts'
import { toBase64 } from './image.ts'

/** What a turn file may weigh. A file beyond it is refused with TURN_TOO_LARGE before it can do harm. */
export const documentLimits = {
  /** UTF-16 code units: of the text, and again of what its YAML aliases repeat. */
  maxLength: 32 * 1024 * 1024,
  maxDepth: 100,
  /** How often YAML anchors may be used. */
  maxAliases: 50,
  /** YAML words, signs and line breaks: what bounds the memory that reading takes. */
  maxTokens: 4_000_000,
} as const

/** The value that a JSON or YAML text says. Throws TURN_INVALID or TURN_TOO_LARGE, soon and for any text. */
export function readDocument(text: string): unknown {
  if (text.length > documentLimits.maxLength) throw tooLarge(`it has more than ${documentLimits.maxLength} characters`)
  const value = /^\s*\{/.test(text) ? readJson(text) : readYaml(text)
  if (isDeeperThan(value, documentLimits.maxDepth)) throw tooDeep()
  return value
}

// A text that only looks like JSON may still be YAML in flow style.
function readJson(text: string): unknown {
  try {
    return JSON.parse(text, exactNumber) as Json // what JSON.parse returns is Json by definition
  } catch (error) {
    if (error instanceof RangeError) throw tooDeep()
    if (isGeppettoError(error)) throw error
    return readYaml(text)
  }
}

// ECMAScript hands the reviver the source text, so a number that a double cannot hold is seen before it is bent.
function exactNumber(key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source ?? ''
  if (typeof value !== 'number' || isKept(value, source)) return value
  throw inexact(`${key}: ${source}`)
}

// Of the integers beyond 2^53 only those come back as they were whose digits are the ones that JavaScript would write.
function isKept(value: number, source: string): boolean {
  return Number.isSafeInteger(value) || String(value) === source || !/^(?:[-+]?\d+|0x[\da-f]+|0o[0-7]+)$/i.test(source)
}

function readYaml(text: string): unknown {
  const lines = new LineCounter()
  const document = composeOne(text, lines)
  const problem = document?.errors[0] ?? document?.warnings.find((warning) => warning.code === 'TAG_RESOLVE_FAILED')
  if (problem !== undefined) throw invalidYaml(problem.message, lines, problem.pos[0])
  if (document === undefined) return undefined
  return new YamlReader(lines).read(document.contents)
}

const yamlOptions = {
  version: '1.2',
  schema: 'core',
  customTags: ['binary'],
  resolveKnownTags: false,
  stringKeys: true,
  uniqueKeys: false, // the library compares each key with all before it; YamlReader uses a set
} as const

// Lexing, parsing and composing step by step, so that a bomb is put down before it is a tree: composing is recursive.
function composeOne(text: string, lines: LineCounter): Document.Parsed | undefined {
  const composer = new Composer({ ...yamlOptions, customTags: [...yamlOptions.customTags] })
  let found: Document.Parsed | undefined
  let documents = 0
  for (const token of tokensOf(text, lines)) {
    if (token.type === 'error') throw invalidYaml(token.message, lines, token.offset)
    if (token.type === 'document' && (documents += 1) > 1) {
      throw new GeppettoError('TURN_INVALID', 'The file holds several YAML documents; a turn is one.')
    }
    for (const document of composer.next(token)) found ??= document
  }
  for (const document of composer.end()) found ??= document
  return found
}

function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token, void> {
  lines.addNewLine(0)
  const parser = new Parser(lines.addNewLine)
  let tokens = 0
  let aliases = 0
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme.startsWith('*')) aliases += 1
    tokens += 1
    if (aliases > documentLimits.maxAliases) throw tooLarge('it uses YAML aliases more often than a turn ever does')
    if (tokens > documentLimits.maxTokens) throw tooLarge(`it has more than ${documentLimits.maxTokens} YAML tokens`)
    yield* parser.next(lexeme)
    if (parser.stack.length > documentLimits.maxDepth + 3) throw tooDeep() // the document, a pair and a scalar on top
  }
  yield* parser.end()
}

interface Anchored {
  readonly value: unknown
  readonly length: number
}

/** Turns a YAML tree into JSON values: aliases share theirs, binary is base64, and what would be bent is refused. */
class YamlReader {
  readonly #lines: LineCounter
  readonly #anchors = new Map<string, Anchored>()
  /** What has been read, counted in characters of YAML and so that no value is free. */
  #length = 0
  #copied = 0

  constructor(lines: LineCounter) {
    this.#lines = lines
  }

  read(node: unknown): unknown {
    if (isAlias(node)) return this.#alias(node.source, node)
    const before = this.#length
    this.#length += 8
    const value = this.#content(node)
    const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined
    if (anchor !== undefined) this.#anchors.set(anchor, { value, length: this.#length - before })
    return value
  }

  #content(node: unknown): unknown {
    if (isMap(node)) return this.#record(node.items)
    if (isSeq(node)) return node.items.map((item) => this.read(item))
    return isScalar(node) ? this.#scalar(node) : null
  }

  #record(pairs: readonly Pair[]): object {
    const keys = new Set<string>()
    const entries = pairs.map((pair): [string, unknown] => {
      const key = isScalar(pair.key) ? String(pair.key.value) : ''
      if (keys.has(key)) throw this.#invalid(`Map keys must be unique (${JSON.stringify(key)})`, pair.key)
      if (isMergeKey(pair)) throw this.#invalid('Merge keys are not read; write the fields out', pair.key)
      keys.add(key)
      this.#length += key.length
      return [key, this.read(pair.value)]
    })
    return Object.fromEntries(entries)
  }

  #scalar({ value, source = '' }: Scalar): unknown {
    if (typeof value === 'number' && !isKept(value, source)) throw inexact(source)
    this.#length += source.length
    return value instanceof Uint8Array ? toBase64(value) : value
  }

  // An anchor is known once its value is complete: an alias inside of it finds nothing.
  #alias(name: string, node: Node): unknown {
    const anchored = this.#anchors.get(name)
    if (anchored === undefined)
      throw this.#invalid(`The alias *${name} is inside of what it names, or names nothing`, node)
    this.#length += anchored.length
    this.#copied += anchored.length
    if (this.#copied > documentLimits.maxLength) throw tooLarge('its YAML aliases make too much of it')
    return anchored.value
  }

  #invalid(problem: string, node: unknown): GeppettoError {
    const offset = isScalar(node) || isAlias(node) ? node.range?.[0] : undefined
    return invalidYaml(problem, this.#lines, offset ?? 0)
  }
}

function isMergeKey({ key, value }: Pair): boolean {
  if (!isScalar(key) || key.value !== '<<' || key.type !== 'PLAIN') return false
  return isAlias(value) || (isSeq(value) && value.items.some(isAlias))
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((item) => isDeeperThan(item, depth - 1))
}

function invalidYaml(problem: string, lines: LineCounter, offset: number): GeppettoError {
  const { line, col } = lines.linePos(offset)
  const sentence = problem.split('\n')[0]?.slice(0, 200) ?? ''
  return new GeppettoError('TURN_INVALID', `The file is not valid YAML: ${sentence}, at line ${line}, column ${col}.`)
}

function inexact(number: string): GeppettoError {
  const shown = number.length > 60 ? `${number.slice(0, 60)}…` : number
  return new GeppettoError(
    'TURN_INVALID',
    `The turn holds a number that cannot be kept exactly (${shown}); write it as text.`,
  )
}

function tooDeep(): GeppettoError {
  return tooLarge(`it is nested deeper than ${documentLimits.maxDepth}`)
}

function tooLarge(why: string): GeppettoError {
  return new GeppettoError('TURN_TOO_LARGE', `The turn file is refused: ${why}.`)
}
