import { tryParseJson } from '../../json.ts'

/** A name in an object, or an index in a list. */
export type Step = string | number

const stepPattern = /\.([^.[\]]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\]/y

/**
 * The steps of a path to one value, as `$.a.b[0]['c d']`; the `$` may be missing. Undefined for what is no such path, as a
 * wildcard. rfc-editor.org/rfc/rfc9535
 */
export function parsePath(path: string): readonly Step[] | undefined {
  const rest = path.startsWith('$') ? path.slice(1) : /^[.[]/.test(path) ? path : `.${path}`
  const steps: Step[] = []
  stepPattern.lastIndex = 0
  while (stepPattern.lastIndex < rest.length) {
    const [, name, index, quoted] = stepPattern.exec(rest) ?? []
    const step = index === undefined ? (name ?? unquoted(quoted ?? '')) : Number(index)
    if (step === undefined) return undefined
    steps.push(step)
  }
  return steps
}

// Quotes of both kinds have the escapes of JSON; a double quote stands bare between single ones.
function unquoted(quoted: string): string | undefined {
  const inner = quoted.slice(1, -1)
  const body = quoted.startsWith("'") ? inner.replaceAll(/\\'|"/g, (found) => (found === '"' ? '\\"' : "'")) : inner
  const value = quoted === '' ? undefined : tryParseJson(`"${body}"`)
  return typeof value === 'string' ? value : undefined
}
