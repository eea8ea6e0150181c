import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { eventEngine, textReply, toolReply } from '../../test/support/event-engine.ts'
import { countingIds } from '../../test/support/values.ts'
import { assistantText } from '../turns/block.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import { defineTool, jsonSchemaInput } from '../inference/tool.ts'
import type { EngineEvent } from '../events/event.ts'
import { MemoryStore } from '../store/memory-store.ts'
import type { Commit, Store } from '../store/store.ts'
import { checkSession, checkStore, repairSession } from './doctor.ts'
import { journalOf } from './journal.ts'
import { readEvents } from './past.ts'
import { exportSession, importSession } from './session-file.ts'
import { withoutSecrets } from './secrets.ts'
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

describe('a session file keeps no key that somebody wrote into the session', () => {
  const key = 'sk-canary0123456789abcdefgh'

  /** The file of a session in which `key` was said in every way. */
  async function leaky(): Promise<{ readonly store: Store; readonly file: readonly string[] }> {
    const leaking = new MemoryStore()
    const show = defineTool({
      name: 'show',
      description: 'Shows.',
      input: jsonSchemaInput({ type: 'object' }),
      execute: () => ({ header: `Bearer ${key}` }),
    })
    const spelled = [...`It is\n${key}`].map((delta, offset): EngineEvent => {
      return { type: 'text-delta', segmentId: '0', offset, delta }
    })
    const said: EngineEvent = { type: 'text-segment-finished', segmentId: '0', block: assistantText(`It is\n${key}`) }
    const engine = toolLoop(eventEngine(toolReply(['c1', 'show', { key }]), [...spelled, said]), [show])
    const session = await Session.open(leaking, 's', { engine, newId: countingIds() })
    await (
      await session.submit(`Mine is ${key}`)
    ).result
    await session.close()
    return { store: leaking, file: await collect(exportSession(leaking, 's')) }
  }

  test('whole, spelled letter by letter, in arguments or in results', async () => {
    const { store: leaking, file } = await leaky()
    const text = file.join('')
    expect(text).not.toContain('canary')
    const letters = file.flatMap((line) => {
      const { event } = JSON.parse(line) as { event?: { type: string; delta?: string } }
      return event?.type === 'text-delta' ? [event.delta] : []
    })
    expect(letters.join('')).toBe('')
    expect(text).toContain('Mine is [secret removed]')
    expect(JSON.parse(file.at(-1) ?? '')).toMatchObject({ kind: 'end', cleaned: expect.any(Number) })
    expect((await leaking.read('s', { after: 0 })).some(({ body }) => body.includes(key))).toBe(true)
  })

  test('and is whole all the same', async () => {
    const { file } = await leaky()
    const other = new MemoryStore()
    await importSession(other, file)
    expect(await collect(checkStore(other))).toEqual([])
    const again = await collect(exportSession(other, 's'))
    expect(again.slice(0, -1)).toEqual(file.slice(0, -1))
  })

  test.each([
    ['sk-proj-0123456789abcdef', true],
    ['AIzaSyA0123456789012345678901234567890', true],
    ['ghp_0123456789abcdefghij0123', true],
    ['AKIAABCDEFGHIJKLMNOP', true],
    ['Authorization: Bearer abcdefghijklmnop', true],
    ['task-sk-short', false],
    ['a desk-0123456789abcdefghijk', false],
    ['01a2082d-dd33-7443-a50d-8f6b33962567', false],
  ])('%j holds one: %j', (text, expected) => {
    expect(withoutSecrets(text) !== text).toBe(expected)
  })
})

describe('a session file that was made to look whole', () => {
  /** The file with its lines changed, and its end made to fit. */
  function resealed(change: (values: Record<string, unknown>[]) => Record<string, unknown>[]): readonly string[] {
    const changed = change(lines.slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>))
    const texts = changed.map((value) => `${JSON.stringify(value)}\n`)
    const sum = createHash('sha256').update(texts.join('')).digest('hex')
    return [...texts, `${JSON.stringify({ kind: 'end', lines: texts.length, sha256: sum })}\n`]
  }
  const of = (kind: string, change: (value: Record<string, unknown>) => Record<string, unknown>) =>
    resealed((values) => values.map((value) => (value['kind'] === kind ? change(value) : value)))

  test('is taken in when nothing was changed', async () => {
    expect(
      await importSession(
        new MemoryStore(),
        resealed((values) => values),
      ),
    ).toBe('s')
  })

  test.each<readonly [string, () => readonly string[], RegExp]>([
    [
      'a changed block',
      () => of('block', (value) => ({ ...value, body: String(value['body']).replace('Pay', 'Say') })),
      /piece \d+ of its block log was changed/,
    ],
    [
      'ranges of nothing',
      () => of('snapshot', (value) => ({ ...value, ranges: [[0, 999]] })),
      /names pieces that are not there/,
    ],
    ['a changed snapshot', () => of('snapshot', (value) => ({ ...value, metadata: {} })), /was changed/],
    [
      'a forged journal',
      () => of('step', (value) => ({ ...value, outcome: 'success' })),
      /they are not what the events say/,
    ],
    [
      'a second header',
      () => resealed(([first, ...rest]) => (first === undefined ? [] : [first, first, ...rest])),
      /line 2: there is a second header/,
    ],
    [
      'events that are missing',
      () => resealed((values) => values.filter(({ kind }) => kind !== 'event')),
      /the last event is 0/,
    ],
  ])('and has %s is refused', async (_what, file, says) => {
    await expect(importSession(new MemoryStore(), file())).rejects.toThrow(says)
  })
})

test('a session that is deleted while it is exported makes no file that could be taken in', async () => {
  const other = new MemoryStore()
  await importSession(other, lines)
  const written: string[] = []
  const writing = (async () => {
    for await (const line of exportSession(other, 's')) {
      written.push(line)
      if (written.length === 3) await other.delete('s')
    }
  })()
  await expect(writing).rejects.toMatchObject({ code: 'SESSION_UNKNOWN' })
  await expect(importSession(new MemoryStore(), written)).rejects.toMatchObject({ code: 'SESSION_FILE_INVALID' })
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

  test('finds nothing in a session that others write to meanwhile', async () => {
    const other = new MemoryStore()
    await importSession(other, lines)
    const head = other.head.bind(other)
    const busy = Object.assign(other, {
      async head(id: string) {
        const found = await head(id)
        await other.commit({ sessionId: id, entries: [{ type: 'hologram-projected', body: '{"at":""}' }] })
        return found
      },
    })
    expect(await codes(busy)).toEqual([])
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
