import { globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkTurn, turnFromText, turnToJson, turnToYaml } from './document.ts'
import { blockHash } from './hash.ts'
import type { Turn } from './turn.ts'

// Every block that a document marks as ```yaml turn.

const root = new URL('../../', import.meta.url)
const files = ['README.md', ...globSync('docs/**/*.md', { cwd: root })].toSorted()
const examples = files.flatMap((file) => {
  const markdown = readFileSync(new URL(file, root), 'utf8')
  return [...markdown.matchAll(/^```yaml turn\n([^]*?)^```$/gm)].map(
    ([, yaml = ''], index) => [`${file} ${index + 1}`, yaml] as const,
  )
})

describe(`${examples.length} turns in ${files.length} documents`, () => {
  it('are found where documents show turns', () => {
    expect(examples.map(([name]) => name)).toContain('docs/turns.md 1')
  })

  it.each(examples)('%s is a turn', (_name, yaml) => {
    expect(checkTurn(yaml).findings.filter(({ severity }) => severity === 'error')).toEqual([])
  })

  it.each(examples)('%s is the same after ten rounds of YAML and JSON', (_name, yaml) => {
    const turn = turnFromText(yaml)
    let last: Turn = turn
    for (let round = 0; round < 10; round += 1) last = turnFromText(turnToJson(turnFromText(turnToYaml(last))))
    expect(turnToYaml(last)).toBe(turnToYaml(turn))
    expect(last.blocks.map(blockHash)).toEqual(turn.blocks.map(blockHash))
  })
})
