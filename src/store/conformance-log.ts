import assert from 'node:assert/strict'
import {
  make,
  event,
  piece,
  submission,
  snapshot,
  taken,
  everything,
  committed,
  headOf,
  ordinals,
  all,
  range,
  createdAt,
  type ConformanceCases,
} from './conformance-samples.ts'
import type { Commit, Store } from './store.ts'

/** Commits, and what is read back of them. */
export const logCases: ConformanceCases = {
  async 'a session that was not made is missing'(store) {
    assert.deepEqual(await store.commit({ sessionId: 'none', entries: [event(1)] }), { status: 'missing' })
    assert.equal(await store.head('none'), undefined)
    assert.deepEqual(await store.read('none', { after: 0 }), [])
    assert.deepEqual(await store.blocks('none', [[0, 9]]), [])
    assert.deepEqual(await store.snapshots('none'), [])
    assert.deepEqual(await store.find('none'), [])
    assert.deepEqual(await store.claim('none', 'anna', 1000), { status: 'missing' })
    assert.equal(await store.renew('none', 0, 1000), undefined)
    await store.release('none', 0)
    await store.trim('none', 5)
    assert.equal(await store.delete('none'), false)
  },

  async 'a session is made as it is asked for'(store, clock) {
    clock.advance(5000)
    assert.deepEqual(await make(store, 's', { entries: [] }), { status: 'committed', ordinal: 0, version: 0 })
    const { state: _state, ...head } = await headOf(store, 's')
    assert.deepEqual(head, {
      sessionId: 's',
      incarnation: 'first',
      tenant: '',
      createdAt,
      updatedAt: '2026-01-01T00:00:05.000Z',
      ordinal: 0,
      firstOrdinal: 1,
      version: 0,
      hasWork: false,
      blocks: 0,
      snapshots: 0,
      epoch: 0,
    })
  },

  async 'a session may begin at a later ordinal'(store) {
    const create = { incarnation: 'copy', createdAt, firstOrdinal: 41 }
    committed(await store.commit({ sessionId: 's', create, entries: [event(1), event(2)] }))
    const { ordinal, firstOrdinal } = await headOf(store, 's')
    assert.deepEqual([ordinal, firstOrdinal, await ordinals(store, 's')], [42, 41, [41, 42]])
  },

  async 'ordinals are dense, whoever commits at once'(store) {
    await make(store, 's')
    await make(store, 't')
    const commits = Array.from({ length: 40 }, (_, index) =>
      store.commit({ sessionId: index % 3 === 0 ? 't' : 's', entries: [event(index), event(index + 0.5)] }),
    )
    const results = (await Promise.all(commits)).map(committed)
    for (const sessionId of ['s', 't']) {
      const log = await store.read(sessionId, { after: 0 })
      assert.deepEqual(
        log.map(({ ordinal }) => ordinal),
        log.map((_, index) => index + 1),
      )
      assert.equal((await headOf(store, sessionId)).ordinal, log.length)
    }
    for (const [index, { ordinal }] of results.entries()) {
      const log = await store.read(index % 3 === 0 ? 't' : 's', { after: ordinal - 2, limit: 2 })
      assert.deepEqual(
        log.map(({ body }) => body),
        [event(index).body, event(index + 0.5).body],
      )
    }
  },

  async 'of two commits after the same state one is taken'(store) {
    await make(store, 's')
    const change = (value: string) =>
      store.commit({ sessionId: 's', state: { after: 0, value, hasWork: true }, entries: [event(value)] })
    const results = await Promise.all([change('"a"'), change('"b"'), change('"c"')])
    assert.deepEqual(results.map(({ status }) => status).toSorted(), ['committed', 'conflict', 'conflict'])
    const head = await headOf(store, 's')
    assert.deepEqual([head.version, head.hasWork, head.ordinal], [1, true, 1])
    const conflict = results.find((result) => result.status === 'conflict')
    assert.deepEqual(conflict?.head, head)
    assert.equal((await store.read('s', { after: 0 }))[0]?.body, event(head.state).body)
  },

  async 'a commit that is not taken changes nothing'(store) {
    await make(store, 's', { ...everything(), entries: [event(1)] })
    await store.claim('s', 'anna', 1000)
    const before = await all(store, 's')
    const refused: readonly Partial<Commit>[] = [
      { ...everything(), submission: submission('other'), epoch: 7 },
      { ...everything(), submission: submission('other') },
      { ...everything(), submission: submission('other'), state: { after: 1, value: '2', hasWork: false } },
      { ...everything() },
    ]
    for (const commit of refused) {
      const { status } = await store.commit({ sessionId: 's', entries: [event(2, 'refused')], ...commit })
      assert.notEqual(status, 'committed')
      assert.deepEqual(await all(store, 's'), before)
    }
    assert.deepEqual(await store.find('refused'), [])
  },

  async 'a commit is all there'(store) {
    await make(store, 's')
    const result = await store.commit({ sessionId: 's', ...everything(), entries: [event(1, 'one'), event(2)] })
    assert.deepEqual(result, { status: 'committed', ordinal: 2, version: 1 })
    const { ordinal, version, state, hasWork, blocks, snapshots } = await headOf(store, 's')
    assert.deepEqual(
      { ordinal, version, state, hasWork, blocks, snapshots },
      { ordinal: 2, version: 1, state: '{"step":1}', hasWork: true, blocks: 2, snapshots: 1 },
    )
    assert.deepEqual(await store.blocks('s', [[0, 2]]), everything().blocks.rows)
    assert.deepEqual(await store.snapshots('s'), [taken(everything().snapshots[0] ?? snapshot(0), 1)])
    assert.deepEqual(await store.find('one'), [{ sessionId: 's', ordinal: 1 }])
  },

  async 'a key that was used is answered as it was, before anything else is looked at'(store) {
    await make(store, 's')
    committed(await store.commit({ sessionId: 's', entries: [event(1), event(2)], submission: submission('key') }))
    committed(await store.commit({ sessionId: 's', entries: [event(3)] }))
    const again: Commit = { sessionId: 's', entries: [event(4)], submission: { ...submission('key'), answer: '"no"' } }
    const duplicate = { status: 'duplicate', submission: submission('key'), ordinal: 2 }
    assert.deepEqual(await store.commit(again), duplicate)
    const wrong = { epoch: 9, state: { after: 9, value: '9', hasWork: false } }
    assert.deepEqual(await store.commit({ ...again, ...wrong }), duplicate)
    assert.deepEqual(await store.commit({ ...again, create: { incarnation: 'second', createdAt } }), duplicate)
    await make(store, 't')
    committed(await store.commit({ ...again, sessionId: 't' }))
  },

  async 'a claim that is lost is told before a conflict'(store) {
    await make(store, 's')
    await store.claim('s', 'anna', 1000)
    const state = { after: 9, value: '9', hasWork: false }
    assert.deepEqual(await store.commit({ sessionId: 's', epoch: 0, state, entries: [] }), {
      status: 'fenced',
      epoch: 1,
    })
    assert.equal((await store.commit({ sessionId: 's', epoch: 1, state, entries: [] })).status, 'conflict')
    committed(await store.commit({ sessionId: 's', epoch: 1, entries: [event(1)] }))
  },

  async 'a session is made once'(store) {
    await make(store, 's', { entries: [event(1)] })
    const result = await make(store, 's', { entries: [event(2)] })
    assert.deepEqual(result, { status: 'conflict', head: await headOf(store, 's') })
    assert.deepEqual(await ordinals(store, 's'), [1])
  },

  async 'pieces go where the block log ends, or nowhere'(store) {
    await make(store, 's', { blocks: { from: 0, rows: [piece('a'), piece('b')] }, entries: [] })
    const late = await store.commit({ sessionId: 's', blocks: { from: 1, rows: [piece('x')] }, entries: [event(1)] })
    assert.equal(late.status, 'conflict')
    committed(await store.commit({ sessionId: 's', blocks: { from: 2, rows: [piece('c'), piece('d')] }, entries: [] }))
    const bodies = async (...ranges: [number, number][]) =>
      (await store.blocks('s', ranges)).map(({ body }) => JSON.parse(body) as string).join('')
    assert.equal(await bodies([0, 4]), 'abcd')
    assert.equal(await bodies([2, 4], [0, 1]), 'cda')
    assert.equal(await bodies([1, 1], [3, 9]), 'd')
    assert.equal(await bodies(), '')
  },

  async 'snapshots stay as they were taken, and are read by turn and by number'(store) {
    await make(store, 's')
    for (const [index, turnId] of ['t1', 't2', 't1'].entries()) {
      const snapshots = [{ ...snapshot(1), turnId, hash: `hash ${index}` }]
      committed(await store.commit({ sessionId: 's', entries: [event(1), event(2)], snapshots }))
    }
    const hashes = async (options?: Parameters<Store['snapshots']>[1]) =>
      (await store.snapshots('s', options)).map(({ hash, ordinal }) => `${hash} at ${ordinal}`)
    assert.deepEqual(await hashes(), ['hash 0 at 2', 'hash 1 at 4', 'hash 2 at 6'])
    assert.deepEqual(await hashes({ turnId: 't1' }), ['hash 0 at 2', 'hash 2 at 6'])
    assert.deepEqual(await hashes({ turnId: 't1', from: 1 }), ['hash 2 at 6'])
    assert.deepEqual(await hashes({ from: 1, limit: 1 }), ['hash 1 at 4'])
    const [read] = await store.snapshots('s')
    if (read) Object.assign(read, { hash: 'changed' })
    assert.deepEqual(await hashes({ limit: 1 }), ['hash 0 at 2'])
    const { inferenceId: _inferenceId, ...plain } = snapshot(0)
    committed(await store.commit({ sessionId: 's', entries: [event(1)], snapshots: [plain] }))
    assert.deepEqual((await store.snapshots('s', { from: 3 }))[0], taken(plain, 7))
  },

  async 'a log is read in pages, by number and by size'(store) {
    await make(store, 's', { entries: Array.from({ length: 300 }, (_, index) => event(index)) })
    assert.equal((await store.read('s', { after: 0 })).length, 256)
    assert.deepEqual(await ordinals(store, 's', { after: 256 }), range(257, 300))
    assert.deepEqual(await ordinals(store, 's', { after: 7, limit: 3 }), [8, 9, 10])
    assert.deepEqual(await ordinals(store, 's', { after: 300 }), [])
    const size = (await store.read('s', { after: 99, limit: 1 }))[0]?.body.length ?? 0
    assert.deepEqual(await ordinals(store, 's', { after: 99, maxChars: 1 }), [100])
    assert.deepEqual(await ordinals(store, 's', { after: 99, maxChars: size * 3 }), [100, 101, 102])
    assert.deepEqual(await ordinals(store, 's', { after: 99, limit: 2, maxChars: size * 3 }), [100, 101])
  },
}
