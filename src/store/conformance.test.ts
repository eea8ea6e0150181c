import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { storeConformance, type ConformanceCase } from './conformance.ts'
import { MemoryStore } from './memory-store.ts'
import { SqliteStore } from './sqlite-store.ts'

const folder = mkdtempSync(join(tmpdir(), 'geppetto-stores-'))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0

describe.each<[string, Parameters<ConformanceCase['run']>[0]]>([
  ['a store in memory', async (options) => new MemoryStore(options)],
  ['an SQLite store in a file', (options) => SqliteStore.open(join(folder, `${(files += 1)}.db`), options)],
  ['an SQLite store in memory', (options) => SqliteStore.open(':memory:', options)],
])('%s', (_name, open) => {
  test.each(storeConformance())('$name', ({ run }) => run(open))
})
