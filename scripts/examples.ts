// Runs every example on the built package. It must end well, and print what the `.out` file beside it says, if there is
// one.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'

const examples = globSync('examples/*.ts').toSorted()
if (examples.length === 0) throw new Error('no examples found: run this where package.json is')

for (const example of examples) {
  const { status, stdout, stderr } = spawnSync('node', [example], { encoding: 'utf8', timeout: 60_000 })
  const expected = example.replace(/ts$/, 'out')
  if (status !== 0) report(example, `ended with ${status ?? 'a time-out'}`, stderr)
  else if (existsSync(expected) && stdout !== readFileSync(expected, 'utf8')) {
    report(example, `does not print what ${expected} says`, stdout)
  }
}

function report(example: string, fault: string, output: string): void {
  console.error(`${example} ${fault}:\n${output}`)
  process.exitCode = 1
}
