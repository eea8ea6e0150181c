// Runs every check, or those that are named (`npm run check -- types lint`), and shows the output of those that fail.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const scratch = mkdtempSync(join(tmpdir(), 'geppetto-check-'))
const testReport = join(scratch, 'tests.json')
const testReporters = '--reporter=default --reporter=./scripts/skipped-reporter.ts --reporter=json'

const steps = new Map([
  ['build', 'npm run build --silent'],
  ['tests', `vitest run ${testReporters} --outputFile.json="${testReport}"`],
  ['package', 'node scripts/package.ts'],
  ['types', 'tsc && tsc -p web'],
  ['lint', 'oxlint'],
  ['format', 'oxfmt --check .'],
  ['unused', 'knip'],
  ['docs', 'node scripts/docs.ts'],
  ['examples', 'node scripts/examples.ts'],
])
/** These run what the build has made. */
const afterBuild = ['package', 'examples']
/** As many at a time as the smallest machine that we care for has cores. */
const lanes = 2

const names = process.argv.slice(2)
const unknown = names.filter((name) => !steps.has(name))
if (unknown.length > 0) {
  console.error(`No check is called ${unknown.join(', ')}. There are ${[...steps.keys()].join(', ')}.`)
  process.exit(2)
}

const wanted = [...steps.keys()].filter((name) => names.length === 0 || names.includes(name))
const outputs = new Map<string, string>()
const failed: string[] = []

if (wanted.some((name) => name === 'build' || afterBuild.includes(name))) await check('build')
const waiting = wanted.filter((name) => name !== 'build')
await Promise.all(Array.from({ length: lanes }, checkWaiting))
const tests = wanted.includes('tests') ? testCounts() : undefined
rmSync(scratch, { recursive: true })

if (tests && tests.passed + tests.failed === 0 && !failed.includes('tests')) failed.push('tests (there are none)')
if (tests) console.log(`\n${closingSummary(outputs.get('tests') ?? '')}`)
console.log(failed.length > 0 ? `\nNot well: ${failed.join(', ')}.` : '\nAll is well.')
if (tests) console.log(`${tests.passed} passed, ${tests.failed} failed`)
process.exitCode = failed.length > 0 ? 1 : 0

async function checkWaiting(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await check(name)
}

async function check(name: string): Promise<void> {
  if (afterBuild.includes(name) && failed.includes('build'))
    return console.log(`--    ${name.padEnd(8)} needs the build`)
  const start = performance.now()
  const { code, output } = await run(steps.get(name) ?? '')
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6)
  outputs.set(name, output)
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(8)} ${seconds} s`)
  if (code === 0) for (const [line] of output.matchAll(/^skipped: .*/gm)) console.log(`      ${line}`)
  else console.log(`\n${output.trim()}\n`)
  if (code !== 0) failed.push(name)
}

function run(command: string): Promise<{ code: number | null; output: string }> {
  const PATH = [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter)
  // CI tells vitest to write no golden file by itself.
  const child = spawn(command, { cwd: root, shell: true, env: { ...process.env, PATH, CI: 'true' } })
  let output = ''
  const add = (text: string) => void (output += text)
  child.stdout.setEncoding('utf8').on('data', add)
  child.stderr.setEncoding('utf8').on('data', add)
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, output: stripVTControlCharacters(output) }))
  })
}

/** What vitest has counted; a file that does not load has no tests to count, and is one failure. */
function testCounts(): { passed: number; failed: number } {
  if (!existsSync(testReport)) return { passed: 0, failed: 0 }
  const report = JSON.parse(readFileSync(testReport, 'utf8')) as TestReport // as vitest wrote it a moment ago
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  )
  return { passed: report.numPassedTests, failed: report.numFailedTests + broken.length }
}

interface TestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

function closingSummary(output: string): string {
  return output
    .split('\n')
    .filter((line) => /^ *(Test Files|Tests|Type Errors|Errors|Duration) /.test(line))
    .join('\n')
}
