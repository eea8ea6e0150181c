// Packs the package, installs it as a user would, and uses it. Everything happens in a folder outside the checkout, so
// that nothing is found by accident.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'

/** What the server needs is among them; ADR 22. */
const mostPackages = 40
const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'geppetto-package-'))
const user = join(folder, 'user')

interface Manifest {
  readonly name: string
  readonly version: string
  readonly peerDependencies: { readonly '@opentelemetry/api': string }
  readonly exports: Readonly<Record<string, unknown>>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest // our own
const entries = Object.keys(manifest.exports)
  .filter((path) => !path.endsWith('.json'))
  .map((path) => manifest.name + path.slice(1))

try {
  const tarball = pack()
  run(root, 'publint', ['run', tarball, '--strict'])
  install(tarball)
  importEntries()
  compileUse()
  runCommand()
  refuseOldNode()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true })
}

function pack(): string {
  const [packed] = JSON.parse(run(root, 'npm', ['pack', '--json', '--pack-destination', folder])) as [
    { filename: string; files: { path: string }[] },
  ] // the format of npm 11
  const strays = packed.files
    .map(({ path }) => path)
    .filter((path) => /\.(test|bench)\b|^(src|test|scripts)\//.test(path))
  assert.ok(strays.length === 0, `The tarball holds what users do not need: ${strays.join(', ')}`)
  return join(folder, packed.filename)
}

function install(tarball: string): void {
  mkdirSync(user)
  writeFileSync(join(user, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  npmInstall(tarball)
  const lock = readFileSync(join(user, 'node_modules/.package-lock.json'), 'utf8')
  const packages = Object.keys((JSON.parse(lock) as { packages: object }).packages)
  const list = packages.join(', ')
  assert.ok(packages.length <= mostPackages, `${packages.length} packages, at most ${mostPackages} may be: ${list}`)
  npmInstall(`@opentelemetry/api@${manifest.peerDependencies['@opentelemetry/api']}`) // geppetto/telemetry needs it
}

function npmInstall(what: string): void {
  run(user, 'npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', what])
}

function importEntries(): void {
  writeFileSync(join(user, 'import.js'), entries.map((entry) => `await import('${entry}')\n`).join(''))
  run(user, 'node', ['import.js'])
}

/** A user's compiler reads our declarations and those that they need, and skips none. */
function compileUse(): void {
  const compilerOptions = {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  }
  const imports = entries.map((entry, index) => `import * as entry${index} from '${entry}'\n`)
  const uses = entries.map((_entry, index) => `entry${index}`)
  writeFileSync(join(user, 'use.ts'), `${imports.join('')}export const all: readonly object[] = [${uses.join(', ')}]\n`)
  writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
  run(user, 'tsc', [])
}

function runCommand(): void {
  const command = join(user, 'node_modules/.bin/geppetto')
  assert.ok(
    run(user, command, ['--version']).includes(manifest.version),
    `geppetto --version is not ${manifest.version}`,
  )
  assert.ok(run(user, command, ['--help']).includes('geppetto'), 'geppetto --help does not say what it is')
}

/**
 * On a Node that is too old, the command says so in one sentence, and does nothing else; in a checkout it goes on with the
 * Node that lies there.
 */
function refuseOldNode(): void {
  const old = oldNode()
  if (old === undefined) return console.log('skipped: the command on an old Node (there is none on the PATH)')
  const { status, stdout, stderr } = spawnSync(old, [join(user, 'node_modules/geppetto/bin/geppetto.js')], {
    encoding: 'utf8',
  })
  const isRefused = status === 1 && stdout === '' && /^geppetto needs Node 24 .*\n$/.test(stderr)
  assert.ok(isRefused, `On an old Node, geppetto does not say what it needs, but: ${stdout}${stderr}`)
  const own = spawnSync(old, [join(root, 'bin/geppetto.js'), 'no-command'], { encoding: 'utf8' })
  assert.ok(own.status === 2 && own.stderr.includes('USAGE'), `In a checkout, on an old Node: ${own.stderr}`)
}

function oldNode(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((path) => !path.includes('node_modules'))
  const nodes = folders.map((path) => join(path, 'node')).filter((path) => existsSync(path))
  return nodes.find((node) => Number(run(root, node, ['-p', 'process.versions.node.split(".")[0]'])) < 24)
}

/** What the command prints. When it fails, all that it has printed is the error. */
function run(cwd: string, command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  assert.ok(status === 0, `${command} ${args.join(' ')}\n${stdout}${stderr}`)
  return stdout
}
