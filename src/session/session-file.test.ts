import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { eventEngine, textReply, toolReply } from '../../test/support/event-engine.ts'
import { countingIds } from '../../test/support/values.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { defineTool, jsonSchemaInput } from '../inference/tool.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Commit, Store } from '../store/store.ts'
import { checkSession, checkStore, repairSession } from './doctor.ts'
import { journalOf } from './journal.ts'
import { readEvents } from './past.ts'
import { exportSession, importSession } from './session-file.ts'
import { Session } from './session.ts'
import { printTrace, trace } from './trace.ts'

let store: MemoryStore
let lines: readonly string[]

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}

beforeAll(async () => {
  store = new MemoryStore()
  const pay = defineTool({
    name: 'pay',
    description: 'Pays.',
    input: jsonSchemaInput({ type: 'object' }),
    execute: () => 'paid',
  })
  const engine = toolLoop(eventEngine(toolReply(['c1', 'pay', {}]), textReply('Done.'), textReply('Bye.')), [pay])
  const session = await Session.open(store, 's', { engine, newId: countingIds() })
  await (
    await session.submit('Pay')
  ).result
  await (
    await session.submit('Leave')
  ).result
  await session.close()
  lines = await collect(exportSession(store, 's'))
})

describe('a session file', () => {
  test('is a thing a line, its kind first', () => {
    const kinds = lines.map((line) => Object.entries(JSON.parse(line) as object)[0])
    expect(kinds.every((first) => first?.[0] === 'kind')).toBe(true)
    expect([...new Set(kinds.map((first) => first?.[1]))]).toEqual([
      'session',
      'event',
      'block',
      'snapshot',
      'step',
      'end',
    ])
  })

  test('is taken in as it was, under its own id or another', async () => {
    const other = new MemoryStore()
    expect(await importSession(other, lines)).toBe('s')
    expect(await collect(exportSession(other, 's'))).toEqual(lines)
    expect(await importSession(other, lines, { id: 't' })).toBe('t')
    expect((await collect(readEvents(other, 't', 0))).every(({ sessionId }) => sessionId === 't')).toBe(true)
    expect(await collect(checkStore(other))).toEqual([])
    await expect(importSession(other, lines)).rejects.toMatchObject({ code: 'SESSION_EXISTS' })
  })

  test('that is cut anywhere is refused, and leaves nothing behind', async () => {
    const other = new MemoryStore()
    for (let kept = 0; kept < lines.length; kept += 1) {
      await expect(importSession(other, lines.slice(0, kept))).rejects.toMatchObject({ code: 'SESSION_FILE_INVALID' })
    }
    const text = lines.join('')
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 2), async (length) => {
        await expect(importSession(other, text.slice(0, length).split('\n'))).rejects.toMatchObject({
          code: 'SESSION_FILE_INVALID',
        })
      }),
      { numRuns: 50 },
    )
    expect(await other.list()).toEqual([])
  })

  test('in which anything was changed is refused', async () => {
    const other = new MemoryStore()
    await fc.assert(
      fc.asyncProperty(
        fc.nat(lines.length - 1),
        fc.nat(),
        fc.constantFrom('x', '9', '"', ' '),
        async (at, place, put) => {
          const line = lines[at] ?? ''
          const where = place % (line.length - 1)
          fc.pre(line[where] !== put)
          const changed = lines.with(at, `${line.slice(0, where)}${put}${line.slice(where + 1)}`)
          await expect(importSession(other, changed)).rejects.toMatchObject({ code: 'SESSION_FILE_INVALID' })
        },
      ),
      { numRuns: 200 },
    )
  })

  test.each([
    [['{"kind":"session","format":"geppetto-session","version":2}'], /line 1: it is of version 2.*use a newer one/],
    [['{"kind":"session","format":"other"}'], /line 1: it is no session file/],
    [['hello'], /line 1: it is no JSON object/],
    [[], /line 1: the file is cut/],
  ])('%j is none', async (given, says) => {
    await expect(importSession(new MemoryStore(), given)).rejects.toThrow(says)
  })

  test('of a session that is not there', async () => {
    await expect(collect(exportSession(store, 'nobody'))).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  })
})

test('the journal tells what was begun and what came of it', async () => {
  const steps = journalOf(await collect(readEvents(store, 's', 0)))
  expect(steps.map(({ step, tool, outcome, started }) => [step, tool, outcome, started.length])).toEqual([
    ['provider-call', undefined, 'tool_calls_pending', 1],
    ['tool-call', 'pay', 'success', 1],
    ['provider-call', undefined, 'completed', 1],
    ['provider-call', undefined, 'completed', 1],
  ])
})

describe('the trace', () => {
  test('of any id tells the inference that it belongs to', async () => {
    const events = await collect(readEvents(store, 's', 0))
    const ids = new Set<string>()
    for (const event of events) {
      if (event.inferenceId !== undefined) ids.add(event.inferenceId)
      ids.add(event.turnId)
      if ('providerCallId' in event && event.providerCallId !== undefined) ids.add(event.providerCallId)
      if ('toolCallId' in event) ids.add(event.toolCallId)
    }
    expect(ids.size).toBeGreaterThan(6)
    for (const id of ids) {
      const [found] = await trace(store, id)
      const types = found?.events.map(({ type }) => type)
      expect([id, types?.[0], types?.at(-1)]).toEqual([id, 'prompt-accepted', 'inference-finished'])
      expect(printTrace(found ?? { id, sessionId: 's', of: 'step', events: [] })).toContain(id)
    }
  })

  test('of a session tells all of it, and of nothing says so', async () => {
    const [whole] = await trace(store, 's')
    expect(whole?.events.filter(({ type }) => type === 'inference-finished')).toHaveLength(2)
    await expect(trace(store, 'nobody')).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  })
})

describe('the doctor', () => {
  /** The session again, with one thing that is not as it was. */
  async function damaged(change: (commit: Commit) => Commit): Promise<Store> {
    const other = new MemoryStore()
    const commit = other.commit.bind(other)
    await importSession(Object.assign(other, { commit: (given: Commit) => commit(change(given)) }), lines)
    return Object.assign(other, { commit })
  }
  const codes = async (of: Store) => (await collect(checkSession(of, 's'))).map(({ code }) => code)

  test('finds nothing in a good session', async () => {
    expect(await codes(await damaged((commit) => commit))).toEqual([])
  })

  test.each<readonly [string, (commit: Commit) => object]>([
    [
      'event',
      (commit) => ({
        ...commit,
        entries: commit.entries.map((entry) =>
          entry.type === 'inference-finished' ? { ...entry, body: '{}' } : entry,
        ),
      }),
    ],
    [
      'lifecycle',
      (commit) => ({
        ...commit,
        entries: [...commit.entries, ...commit.entries.filter(({ type }) => type === 'phase-reached')],
      }),
    ],
    [
      'lifecycle',
      (commit) => ({
        ...commit,
        entries: [
          ...commit.entries,
          ...commit.entries
            .filter(({ type }) => type === 'phase-reached')
            .map((entry) => ({ ...entry, body: entry.body.replaceAll('"inference_id":"', '"inference_id":"other-') })),
        ],
      }),
    ],
    [
      'state',
      (commit) => ({
        ...commit,
        state: commit.state && { ...commit.state, value: '{"queue":[],"approvals":[],"turnId":"other"}' },
      }),
    ],
    [
      'block-hash',
      (commit) => ({
        ...commit,
        blocks: commit.blocks && {
          ...commit.blocks,
          rows: commit.blocks.rows.map((row, at) =>
            at === 1 ? { ...row, body: row.body.replace('Pay', 'Say') } : row,
          ),
        },
      }),
    ],
    [
      'snapshot-hash',
      (commit) => ({
        ...commit,
        snapshots: commit.snapshots?.map((snapshot) => ({ ...snapshot, turnId: 'other' })) ?? [],
      }),
    ],
    [
      'snapshot',
      (commit) => ({ ...commit, snapshots: commit.snapshots?.map((snapshot) => ({ ...snapshot, ranges: [] })) ?? [] }),
    ],
  ])('finds %s', async (code, change) => {
    expect(await codes(await damaged(change as (commit: Commit) => Commit /* damaged, but a commit */))).toContain(code)
  })

  test('mends the state, and only that, when it is told to', async () => {
    const other = await damaged((commit) => ({
      ...commit,
      state: { after: 0, value: '{"queue":[],"approvals":[],"turnId":"other"}', hasWork: false },
    }))
    expect(await repairSession(other, 's')).toEqual(['the state was written anew from the events'])
    expect(await codes(other)).toEqual([])
    expect(await repairSession(other, 's')).toEqual([])
    expect((await other.head('s'))?.state).toBe((await store.head('s'))?.state)
  })
})
