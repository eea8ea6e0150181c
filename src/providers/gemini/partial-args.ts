import { isJsonObject, type Json, type JsonObject } from '../../json.ts'
import { list, text } from '../wire.ts'

/** How deep and how wide streamed arguments may address; what goes beyond is left out. */
const maxSteps = 50
const maxIndex = 10_000

type Step = string | number
type Container = Map<string, Node> | Node[]
type Node = Container | { value: Json }

/**
 * The arguments of a function call that is streamed piece by piece, each under its JSON path. Texts under one path are
 * joined. Kept in maps until the end, so that no path can reach a prototype.
 */
export class PartialArguments {
  readonly #root = new Map<string, Node>()

  add(parts: readonly Json[]): void {
    for (const part of parts.filter(isJsonObject)) {
      const steps = pathOf(text(part, 'jsonPath') ?? '')
      const value = valueOf(part)
      if (value !== undefined && steps.length > 0 && steps.length <= maxSteps) this.#write(steps, value)
    }
  }

  value(): JsonObject {
    return plain(this.#root) as JsonObject // the root is a map
  }

  #write(steps: readonly Step[], value: Json): void {
    let container: Container = this.#root
    for (const [place, step] of steps.entries()) {
      const next = steps[place + 1]
      const known = child(container, step)
      if (next === undefined) return put(container, step, { value: joined(known, value) })
      const isContainer = known !== undefined && !('value' in known)
      const inner: Container = isContainer ? known : typeof next === 'number' ? [] : new Map<string, Node>()
      if (!isContainer) put(container, step, inner)
      container = inner
    }
  }
}

/** `$.a.b[0]['c']` as its steps. */
function pathOf(path: string): readonly Step[] {
  const steps: Step[] = []
  for (const [, name, index, quoted] of path.matchAll(/\.([^.[\]]+)|\[(\d+)\]|\[['"]((?:[^'"\\]|\\.)*)['"]\]/g)) {
    if (index !== undefined) steps.push(Number(index))
    else steps.push(name ?? quoted ?? '')
  }
  return steps
}

function valueOf(part: JsonObject): Json | undefined {
  if ('nullValue' in part) return null
  return part['stringValue'] ?? part['numberValue'] ?? part['boolValue']
}

function joined(known: Node | undefined, value: Json): Json {
  const before = known !== undefined && 'value' in known ? known.value : undefined
  return typeof before === 'string' && typeof value === 'string' ? before + value : value
}

function child(container: Container, step: Step): Node | undefined {
  return Array.isArray(container) ? container[Number(step)] : container.get(String(step))
}

function put(container: Container, step: Step, node: Node): void {
  if (!Array.isArray(container)) container.set(String(step), node)
  else if (typeof step === 'number' && step <= maxIndex) container[step] = node
}

function plain(node: Node): Json {
  if (Array.isArray(node))
    return Array.from(node, (item: Node | undefined) => (item === undefined ? null : plain(item)))
  if (node instanceof Map) return Object.fromEntries([...node].map(([key, item]) => [key, plain(item)]))
  return node.value
}

export function hasPartialArguments(call: JsonObject): boolean {
  return list(call, 'partialArgs').length > 0 || call['willContinue'] === true
}
