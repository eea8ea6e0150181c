import type { Json, JsonObject } from '../../json.ts'
import { objects, text } from '../wire.ts'
import { ArgumentsText } from './arguments-text.ts'
import { parsePath, type Step } from './json-path.ts'

/** How deep arguments may go, and how many places of lists may be left empty: a path is a few bytes, what it makes is not. */
const maxDepth = 50
const maxGaps = 1000

type Node = Container | { readonly value: Json }
type Container = Map<string, Node> | (Node | undefined)[]

/**
 * The arguments of a call that come piece by piece, each under its path; texts under one path are joined. They are kept in
 * maps until the end, so that no path reaches a prototype. docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling
 */
export class PartialArguments {
  readonly #root = new Map<string, Node>()
  readonly #text = new ArgumentsText()
  #gaps = 0
  #isReadable = true

  /** Takes the pieces of one part and gives what they add to the arguments as JSON text. */
  add(call: JsonObject): string {
    let added = ''
    for (const piece of objects(call, 'partialArgs')) {
      const steps = parsePath(text(piece, 'jsonPath') ?? '')
      const value = valueOf(piece)
      this.#isReadable &&= steps !== undefined && steps.length <= maxDepth
      if (!this.#isReadable || steps === undefined || steps.length === 0 || value === undefined) continue
      this.#write(steps, value)
      if (this.#isReadable) added += this.#text.write(steps, value)
    }
    return added
  }

  /** What ends the text; the value, where it could be read. */
  end(): { readonly text: string; readonly value: JsonObject | undefined } {
    if (!this.#isReadable) return { text: '', value: undefined }
    return { text: this.#text.end(), value: plainObject(this.#root) }
  }

  /** Whether all pieces could be put in their places. */
  get isReadable(): boolean {
    return this.#isReadable
  }

  /** The text so far: an object that is not closed, and so never taken for whole. */
  get written(): string {
    return this.#text.written
  }

  #write(steps: readonly Step[], value: Json): void {
    let container: Container = this.#root
    for (const [place, step] of steps.entries()) {
      const known = childOf(container, step)
      const next = steps[place + 1]
      if (next === undefined) return this.#put(container, step, { value: joined(known, value) })
      const inner = containerFor(known, next)
      if (inner !== known) this.#put(container, step, inner)
      container = inner
    }
  }

  #put(container: Container, step: Step, node: Node): void {
    if (!Array.isArray(container)) {
      container.set(String(step), node)
      return
    }
    this.#gaps += Math.max(Number(step) - container.length, 0)
    if (typeof step === 'number' && this.#gaps <= maxGaps) container[step] = node
    else this.#isReadable = false
  }
}

function valueOf(piece: JsonObject): Json | undefined {
  if ('nullValue' in piece) return null
  return piece['stringValue'] ?? piece['numberValue'] ?? piece['boolValue']
}

function childOf(container: Container, step: Step): Node | undefined {
  return Array.isArray(container) ? container[Number(step)] : container.get(String(step))
}

/** The container that stands here, or a new one in place of anything else: a list where the next step is an index. */
function containerFor(known: Node | undefined, next: Step): Container {
  if (known instanceof Map || Array.isArray(known)) return known
  return typeof next === 'number' ? [] : new Map<string, Node>()
}

function joined(known: Node | undefined, value: Json): Json {
  const before = known !== undefined && 'value' in known ? known.value : undefined
  return typeof before === 'string' && typeof value === 'string' ? before + value : value
}

function plain(node: Node | undefined): Json {
  if (node === undefined) return null
  if (Array.isArray(node)) return Array.from(node, plain)
  return node instanceof Map ? plainObject(node) : node.value
}

function plainObject(node: ReadonlyMap<string, Node>): JsonObject {
  return Object.fromEntries([...node].map(([key, item]) => [key, plain(item)]))
}
