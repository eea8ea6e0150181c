import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, posix } from 'node:path'
import { describe, expect, test } from 'vitest'

// Which file may import which, as data. A folder of `src/` is a layer; it may import from itself, from the layers before
// it, and from the ground files, which lie directly in `src/`. The drawing is in docs/architecture.md.
const layers = [
  'turns',
  'events',
  'timeline',
  'client',
  'telemetry',
  'inference',
  'providers',
  'middleware',
  'cassette',
  'store',
  'session',
  'profiles',
  'server',
  'cli',
]

/** These run in a browser too, as the ground files do: no Node built-in, and no package that needs one. */
const browserLayers = ['turns', 'events', 'timeline', 'client']
const nodePackages = ['commander', 'undici']

/** A package that not every user has installed, and the only layers that may ask for it. */
const optionalPackages: Readonly<Record<string, readonly string[]>> = {
  '@opentelemetry/api': ['telemetry', 'cli'],
  '@opentelemetry/sdk-node': ['cli'],
}

/** The package's entry is for those who use the library: what runs it as a program, or needs more, is not in there. */
const outsideEntry = ['telemetry', 'server', 'cli']

const emptyNames = ['common', 'helpers', 'manager', 'utils']

const lineLimit = 400
/** Files that may be longer, each with the reason. */
const longFiles: Readonly<Record<string, string>> = {}

/** A check that sees no files finds no fault. Raise this as the source grows. */
const leastModules = 100

/** What is wrong with these modules, by path below `src/`; nothing when all is well. Tests may import what they like. */
function check(sources: ReadonlyMap<string, string>): readonly string[] {
  const modules = new Map([...sources].filter(([path]) => !isTest(path)))
  const imports = new Map([...modules].map(([path, source]) => [path, importsOf(path, source)]))
  return [
    ...[...modules].flatMap(([path, source]) => faultsOfFile(path, source)),
    ...[...imports].flatMap(([path, targets]) =>
      targets.flatMap((target) => faultOfImport(path, target) ?? []).map((fault) => `${path} ${fault}`),
    ),
    ...cycles(imports).map((cycle) => `import cycle: ${cycle.join(' > ')}`),
  ]
}

function faultsOfFile(path: string, source: string): readonly string[] {
  const lines = lineCount(source)
  const layer = layerOf(path)
  const code = withoutComments(source)
  return [
    ...(layer === ground || layers.includes(layer) ? [] : [`${path} lies in no layer: add ${layer} to the list`]),
    ...(emptyNames.includes(basename(path, '.ts')) ? [`${path} is named after nothing: name the idea`] : []),
    ...(lines > lineLimit && !(path in longFiles) ? [`${path} has ${lines} lines: look for the second idea`] : []),
    ...(layer !== 'cli' && /\bnew Date\(\s*\)/.test(code)
      ? [`${path} reads the time: use the clock in the context`]
      : []),
    ...(/\bimport\(\s*[^'"\s]/.test(code) ? [`${path} imports what only a run can tell: write the path out`] : []),
  ]
}

/** An import's target is a path below `src/`, or the name of a package. */
function faultOfImport(from: string, { path, isRelative }: Import): string | undefined {
  const layer = layerOf(from)
  if (!isRelative) {
    const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/')
    if (name === 'geppetto') return `imports ${path}, which is this package: write the path of the file`
    const owners = optionalPackages[name] ?? [layer]
    if (!owners.includes(layer)) return `imports ${path}, which only ${owners.join(' and ')} may`
    const isNodeOnly = isBuiltin(path) || nodePackages.includes(name)
    const inBrowser = browserLayers.includes(layer) || (layer === ground && from !== entry)
    return isNodeOnly && inBrowser ? `imports ${path}, which no browser has` : undefined
  }
  const target = layerOf(path)
  if (path.startsWith('../')) return `imports ${path}, which lies outside src`
  if (isTest(path)) return `imports ${path}, a test`
  if (from === entry)
    return outsideEntry.includes(target) ? `imports ${path}, which is no part of the library` : undefined
  if (basename(path) === 'index.ts') return `imports ${path}: import the file that has it`
  if (target === ground || target === layer) return undefined
  if (layer === ground) return `imports ${path}: what every layer may import must import none`
  return layers.indexOf(target) < layers.indexOf(layer) ? undefined : `imports ${path}: ${target} comes after ${layer}`
}

const isTest = (path: string) => /\.(test|test-d|bench)\.ts$/.test(path)

const lineCount = (source: string) => source.trimEnd().split('\n').length

const entry = 'index.ts'
const ground = ''

function layerOf(path: string): string {
  return path.includes('/') ? (path.split('/')[0] ?? ground) : ground
}

interface Import {
  readonly path: string
  readonly isRelative: boolean
  /** It is gone when the program runs. */
  readonly isType: boolean
}

function importsOf(from: string, source: string): readonly Import[] {
  const statement =
    /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm
  return [...withoutComments(source).matchAll(statement)].map(([text, named, bare, dynamic]) => {
    const path = named ?? bare ?? dynamic ?? ''
    const isRelative = path.startsWith('.')
    return {
      path: isRelative ? posix.join(posix.dirname(from), path) : path,
      isRelative,
      isType: /^\s*(import|export) type\b/.test(text),
    }
  })
}

/** Strings are matched too, and kept, so that a `//` in one is not taken for a comment. */
function withoutComments(source: string): string {
  const stringOrComment = /('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[^]|[^`\\])*`)|\/\/.*|\/\*[^]*?\*\//g
  return source.replace(stringOrComment, (_match, string: string | undefined) => string ?? ' ')
}

/** Files that load one another, each cycle once. Types may go both ways: they load nothing. */
function cycles(imports: ReadonlyMap<string, readonly Import[]>): readonly (readonly string[])[] {
  const found: string[][] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) found.push([...trail.slice(start), path])
    if (start >= 0 || done.has(path)) return
    const loaded = (imports.get(path) ?? []).filter(({ isRelative, isType }) => isRelative && !isType)
    for (const target of loaded) visit(target.path, [...trail, path])
    done.add(path)
  }
  for (const path of imports.keys()) visit(path, [])
  return found
}

function readSources(): ReadonlyMap<string, string> {
  const paths = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  const sources = paths.map((path) => path.replaceAll('\\', '/')).filter((path) => path.endsWith('.ts'))
  return new Map(sources.map((path) => [path, readFileSync(`${import.meta.dirname}/${path}`, 'utf8')]))
}

describe('the source', () => {
  const sources = readSources()

  test('keeps the rules', () => {
    expect(check(sources)).toEqual([])
  })

  test('is what the check has seen', () => {
    const modules = [...sources.keys()].filter((path) => !isTest(path))
    expect(modules.length).toBeGreaterThanOrEqual(leastModules)
    const edges = modules.flatMap((path) =>
      importsOf(path, sources.get(path) ?? '').filter((target) => target.isRelative),
    )
    expect(edges.length).toBeGreaterThan(leastModules)
  })

  test('has every file that may be long, and they are', () => {
    expect(Object.keys(longFiles).filter((path) => lineCount(sources.get(path) ?? '') <= lineLimit)).toEqual([])
  })
})

describe('the check', () => {
  type Files = Readonly<Record<string, string>>

  test.each<[rule: string, files: Files, fault: RegExp]>([
    ['a later layer', { 'turns/a.ts': `import { b } from '../session/b.ts'` }, /session comes after turns/],
    ['a later layer, for its types', { 'events/a.ts': `import type { B } from '../inference/b.ts'` }, /after events/],
    ['a later layer, re-exported', { 'turns/a.ts': `export * from '../events/b.ts'` }, /events comes after turns/],
    ['a later layer, for its effect', { 'turns/a.ts': `import '../events/b.ts'` }, /events comes after turns/],
    ['a later layer, when it runs', { 'turns/a.ts': `const b = await import('../cli/b.ts')` }, /cli comes after turns/],
    ['a later layer, over several lines', { 'turns/a.ts': `import {\n  b,\n} from '../cli/b.ts'` }, /cli comes after/],
    [
      'a later layer, behind a string',
      { 'turns/a.ts': `const s = '/*'\nimport { b } from '../cli/b.ts'` },
      /cli comes/,
    ],
    ['a later layer, from deep inside', { 'providers/x/a.ts': `import '../../store/b.ts'` }, /store comes after/],
    ['a layer from the ground', { 'json.ts': `import { b } from './turns/b.ts'` }, /must import none/],
    ['Node in a browser layer', { 'events/a.ts': `import { readFile } from 'node:fs/promises'` }, /no browser has/],
    ['Node without its prefix', { 'turns/a.ts': `import fs from 'fs'` }, /no browser has/],
    ['Node on the ground', { 'clock.ts': `import { hrtime } from 'node:process'` }, /no browser has/],
    ['a package that needs Node', { 'client/a.ts': `import { fetch } from 'undici'` }, /imports undici/],
    [
      'an optional package',
      { 'session/a.ts': `import { trace } from '@opentelemetry/api'` },
      /only telemetry and cli may/,
    ],
    [
      'a layer that needs it, in the entry',
      { 'index.ts': `export * from './telemetry/a.ts'` },
      /no part of the library/,
    ],
    ['the program in the entry', { 'index.ts': `export * from './cli/a.ts'` }, /no part of the library/],
    ['a folder index', { 'events/a.ts': `import { b } from '../turns/index.ts'` }, /import the file that has it/],
    ['the package itself', { 'turns/a.ts': `import { b } from 'geppetto/session'` }, /this package/],
    ['a file outside', { 'turns/a.ts': `import { b } from '../../test/b.ts'` }, /outside src/],
    ['a test', { 'turns/a.ts': `import { b } from './b.test.ts'` }, /a test/],
    ['a path that is computed', { 'turns/a.ts': 'await import(`./${name}.ts`)' }, /write the path out/],
    [
      'a cycle',
      { 'turns/a.ts': `import './b.ts'`, 'turns/b.ts': `import './a.ts'` },
      /a\.ts > turns\/b\.ts > turns\/a/,
    ],
    ['a folder that is no layer', { 'misc/a.ts': '' }, /add misc to the list/],
    ['an empty name', { 'turns/utils.ts': '' }, /name the idea/],
    ['a long file', { 'turns/a.ts': 'x\n'.repeat(lineLimit + 1) }, /401 lines/],
    ['the time', { 'turns/a.ts': 'const at = new Date()' }, /reads the time/],
  ])('sees %s', (_rule, files, fault) => {
    expect(check(new Map(Object.entries(files)))).toEqual([expect.stringMatching(fault)])
  })

  test.each<[what: string, files: Files]>([
    ['an earlier layer', { 'session/a.ts': `import { b } from '../turns/b.ts'` }],
    ['the ground', { 'turns/a.ts': `import { b } from '../json.ts'`, 'json.ts': '' }],
    ['Node in the other layers', { 'providers/a.ts': `import { connect } from 'node:net'` }],
    ['an import in a comment', { 'turns/a.ts': `// import '../cli/b.ts'\n/*\nimport '../cli/b.ts'\n*/` }],
    ['a given time', { 'turns/a.ts': 'const at = new Date(0)' }],
    ['a type and its user', { 'turns/a.ts': `import './b.ts'`, 'turns/b.ts': `import type { A } from './a.ts'` }],
    ['anything in a test', { 'turns/a.test.ts': `import '../cli/b.ts'\nimport '../../test/b.ts'` }],
    ['two ways to one file', { 'turns/a.ts': `import './b.ts'\nimport './c.ts'`, 'turns/b.ts': `import './c.ts'` }],
  ])('allows %s', (_what, files) => {
    expect(check(new Map(Object.entries(files)))).toEqual([])
  })
})
