import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkSession, checkStore } from '../src/session/doctor.ts'
import { latestTurn } from '../src/session/past.ts'
import { exportSession, importSession } from '../src/session/session-file.ts'
import { Session } from '../src/session/session.ts'
import { MemoryStore } from '../src/store/memory-store.ts'
import { SqliteStore } from '../src/store/sqlite-store.ts'
import { turnToYaml } from '../src/turns/document.ts'
import { createTurn } from '../src/turns/turn.ts'
import { scripted } from '../src/providers/scripted/engine.ts'

// Sessions that some version wrote. They are never written again: every later version must read them as they are.

const folder = join(import.meta.dirname, 'corpus/sessions')
const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'))

async function textOf(lines: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const line of lines) text += line
  return text
}

test('there is a corpus', () => {
  expect(files.length).toBeGreaterThanOrEqual(5)
})

describe.each(files)('%s', (name) => {
  const text = readFileSync(join(folder, name), 'utf8')
  const lines = text.trimEnd().split('\n')

  test.each([
    ['memory', async () => new MemoryStore()],
    ['SQLite', () => SqliteStore.open(':memory:')],
  ])('is taken in by %s as it was, and given out again', async (_kind, open) => {
    const store = await open()
    const id = await importSession(store, lines)
    expect(await textOf(exportSession(store, id))).toBe(text)
    const findings: unknown[] = []
    for await (const finding of checkSession(store, id)) if (finding.severity === 'error') findings.push(finding)
    expect(findings).toEqual([])
    const head = await store.head(id)
    const turn = (head && (await latestTurn(store, head))) ?? createTurn()
    await expect(turnToYaml(turn)).toMatchFileSnapshot(join(folder, name.replace('.jsonl', '.turn.yaml')))
    await store.close()
  })

  test('goes on from there', async () => {
    const store = new MemoryStore()
    const id = await importSession(store, lines)
    const session = await Session.open(store, id, { engine: scripted({ pace: 0 }), recovery: 'interrupt' })
    const turn = await (await session.submit('Say on')).result
    expect(turn.blocks.at(-1)?.payload).toMatchObject({ text: 'on' })
    await session.close()
  })
})

describe('a store that an earlier version wrote', () => {
  test('is taken over with all that is in it', async () => {
    const folderOfCopy = mkdtempSync(join(tmpdir(), 'geppetto-corpus-'))
    const file = join(folderOfCopy, 'v1.db')
    copyFileSync(join(import.meta.dirname, 'corpus/stores/v1.db'), file)
    const store = await SqliteStore.open(file)
    const heads = await store.list()
    expect(heads.map(({ sessionId, tenant }) => `${sessionId} of ${JSON.stringify(tenant)}`).toSorted()).toEqual([
      'v1-fork of ""',
      'v1-tools-and-approval of ""',
    ])
    const findings: unknown[] = []
    for await (const finding of checkStore(store)) if (finding.severity === 'error') findings.push(finding)
    expect(findings).toEqual([])
    await store.close()
    rmSync(folderOfCopy, { recursive: true })
  })
})
