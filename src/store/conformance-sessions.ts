import assert from 'node:assert/strict'
import { isGeppettoError } from '../errors.ts'
import {
  make,
  event,
  submission,
  everything,
  committed,
  headOf,
  ordinals,
  createdAt,
  type ConformanceCases,
} from './conformance-samples.ts'
import type { Commit, Store } from './store.ts'

/** Lists, names, claims, and the end of sessions and of stores. */
export const sessionCases: ConformanceCases = {
  async 'sessions are listed from the newest change on, in pages that miss none'(store, clock) {
    for (const id of ['a', 'b', 'c', 'd', 'e']) await make(store, id)
    clock.advance(1000)
    await store.commit({ sessionId: 'b', entries: [event(1)] })
    const listed: string[] = []
    let before: Parameters<Store['list']>[0] = {}
    for (
      let heads = await store.list({ limit: 2 });
      heads.length > 0;
      heads = await store.list({ limit: 2, ...before })
    ) {
      listed.push(...heads.map(({ sessionId }) => sessionId))
      before = { before: heads.at(-1) ?? assert.fail() }
      assert.ok(listed.length <= 5, 'a page repeats what another page has')
    }
    assert.equal(listed[0], 'b')
    assert.deepEqual(listed.toSorted(), ['a', 'b', 'c', 'd', 'e'])
    assert.deepEqual(
      (await store.list()).map(({ sessionId }) => sessionId),
      listed,
    )
  },

  async 'sessions with work are listed alone'(store) {
    for (const id of ['a', 'b', 'c']) await make(store, id)
    committed(await store.commit({ sessionId: 'b', state: { after: 0, value: '1', hasWork: true }, entries: [] }))
    assert.deepEqual(await store.list({ hasWork: true }), [await headOf(store, 'b')])
    committed(await store.commit({ sessionId: 'b', state: { after: 1, value: '2', hasWork: false }, entries: [] }))
    assert.deepEqual(await store.list({ hasWork: true }), [])
  },

  async 'sessions are listed by whose they are'(store, clock) {
    for (const [id, tenant] of [
      ['a', 'anna'],
      ['b', 'bert'],
      ['c', 'anna'],
      ['d', undefined],
    ] as const) {
      clock.advance(1)
      const create = { incarnation: 'first', createdAt, ...(tenant !== undefined && { tenant }) }
      committed(await store.commit({ sessionId: id, create, entries: [] }))
    }
    committed(await store.commit({ sessionId: 'c', state: { after: 0, value: '1', hasWork: true }, entries: [] }))
    const listed = async (options: Parameters<Store['list']>[0]) =>
      (await store.list(options)).map(({ sessionId }) => sessionId)
    assert.deepEqual(await listed({ tenant: 'anna' }), ['c', 'a'])
    assert.deepEqual(await listed({ tenant: 'anna', limit: 1, before: await headOf(store, 'c') }), ['a'])
    assert.deepEqual(await listed({ tenant: 'anna', hasWork: true }), ['c'])
    assert.deepEqual(await listed({ tenant: 'bert', hasWork: true }), [])
    assert.deepEqual(await listed({ tenant: '' }), ['d'])
    assert.equal((await headOf(store, 'b')).tenant, 'bert')
  },

  async 'a name leads to every entry that has it'(store) {
    await make(store, 's', { entries: [event(1, 'x', 'y', 'x'), event(2), event(3, 'x')] })
    await make(store, 'x', { entries: [event(1, 's')] })
    const places = async (name: string) =>
      (await store.find(name)).map(({ sessionId, ordinal }) => `${sessionId} ${ordinal}`).toSorted()
    assert.deepEqual(await places('x'), ['s 1', 's 3', 'x 0'])
    assert.deepEqual(await places('y'), ['s 1'])
    assert.deepEqual(await places('s'), ['s 0', 'x 1'])
    await store.trim('s', 2)
    assert.deepEqual(await places('x'), ['s 3', 'x 0'])
    await store.delete('s')
    assert.deepEqual([await places('x'), await places('y'), await places('s')], [['x 0'], [], ['x 1']])
  },

  async 'a claim keeps others out until its time is up'(store, clock) {
    await make(store, 's')
    const claimed = await store.claim('s', 'anna', 1000)
    assert.deepEqual(claimed, { status: 'claimed', head: await headOf(store, 's') })
    assert.deepEqual([(await headOf(store, 's')).epoch, (await headOf(store, 's')).owner], [1, 'anna'])
    clock.advance(400)
    assert.deepEqual(await store.claim('s', 'bert', 1000), { status: 'held', owner: 'anna', forMs: 600 })
    clock.advance(601)
    assert.equal((await headOf(store, 's')).owner, undefined)
    assert.equal((await store.claim('s', 'bert', 1000)).status, 'claimed')
    assert.deepEqual([(await headOf(store, 's')).epoch, (await headOf(store, 's')).owner], [2, 'bert'])
    assert.equal(await store.renew('s', 1, 1000), undefined)
    await store.release('s', 1)
    assert.equal((await headOf(store, 's')).owner, 'bert')
  },

  async 'a claim is renewed, also a little late, and given up'(store, clock) {
    await make(store, 's')
    await store.claim('s', 'anna', 1000)
    clock.advance(900)
    assert.deepEqual(await store.renew('s', 1, 1000), await headOf(store, 's'))
    clock.advance(900)
    assert.equal((await store.claim('s', 'bert', 1000)).status, 'held')
    clock.advance(200)
    assert.equal((await store.renew('s', 1, 1000))?.owner, 'anna')
    assert.equal((await store.claim('s', 'bert', 1000)).status, 'held')
    await store.release('s', 1)
    assert.equal((await headOf(store, 's')).owner, undefined)
    assert.equal(await store.renew('s', 1, 1000), undefined)
    assert.equal((await store.claim('s', 'bert', 1000)).status, 'claimed')
  },

  async 'who has a claim may claim again, and fences itself'(store) {
    await make(store, 's')
    await store.claim('s', 'anna', 1000)
    const again = await store.claim('s', 'anna', 1000)
    assert.equal(again.status === 'claimed' && again.head.epoch, 2)
    assert.equal((await store.commit({ sessionId: 's', epoch: 1, entries: [] })).status, 'fenced')
  },

  async 'of many that claim at once one has it'(store) {
    await make(store, 's')
    const results = await Promise.all(['anna', 'bert', 'carl'].map((owner) => store.claim('s', owner, 1000)))
    assert.deepEqual(results.map(({ status }) => status).toSorted(), ['claimed', 'held', 'held'])
  },

  async 'what is trimmed is gone, and its ordinals are not given again'(store) {
    await make(store, 's', { entries: [event(1), event(2), event(3)] })
    await store.trim('s', 3)
    assert.deepEqual([await ordinals(store, 's'), (await headOf(store, 's')).firstOrdinal], [[3], 3])
    await store.trim('s', 2)
    assert.equal((await headOf(store, 's')).firstOrdinal, 3)
    await store.trim('s', 99)
    const { ordinal, firstOrdinal } = await headOf(store, 's')
    assert.deepEqual([await ordinals(store, 's'), ordinal, firstOrdinal], [[], 3, 4])
    assert.equal(committed(await store.commit({ sessionId: 's', entries: [event(4)] })).ordinal, 4)
    assert.deepEqual(await ordinals(store, 's'), [4])
  },

  async 'a session that is deleted and made anew has nothing of the old one'(store) {
    await make(store, 's', { ...everything(), entries: [event(1, 'old'), event(2)] })
    await store.claim('s', 'anna', 1000)
    assert.equal(await store.delete('s'), true)
    assert.equal(await store.delete('s'), false)
    assert.equal(await store.head('s'), undefined)
    const create = { incarnation: 'second', createdAt }
    const made = await store.commit({ sessionId: 's', create, entries: [event(3)], submission: submission('key') })
    assert.deepEqual(made, { status: 'committed', ordinal: 1, version: 0 })
    const { incarnation, ordinal, blocks, snapshots, owner } = await headOf(store, 's')
    assert.deepEqual([incarnation, ordinal, blocks, snapshots, owner], ['second', 1, 0, 0, undefined])
    assert.deepEqual(await store.find('old'), [])
    const zombie = await store.commit({ sessionId: 's', epoch: 1, entries: [event(9)] })
    assert.equal(zombie.status, 'fenced', 'who had claimed the old one writes to the new one')
    const key = submission('key')
    const late: Commit = { sessionId: 's', incarnation: 'first', entries: [event(9)], submission: key }
    assert.deepEqual(
      await store.commit(late),
      { status: 'missing' },
      'what was meant for the old one is in the new one',
    )
    committed(await store.commit({ sessionId: 's', incarnation: 'second', entries: [event(4)] }))
  },

  async 'who watches a session hears of its commits'(store) {
    await make(store, 's')
    await make(store, 't')
    let calls = 0
    const heard = new Promise<void>((resolve) => store.watch('s', () => resolve(void (calls += 1))))
    const stop = store.watch('s', () => assert.fail('a watcher that was taken away was called'))
    stop()
    stop()
    store.watch('s', () => {
      throw new Error('a watcher that throws')
    })
    committed(await store.commit({ sessionId: 't', entries: [event(1)] }))
    committed(await store.commit({ sessionId: 's', entries: [event(1)] }))
    await heard
    assert.ok(calls > 0)
  },

  async 'any text comes back as it was'(store) {
    const texts = [
      '',
      '\0',
      'a\0b',
      '\u2028\u2029',
      '👩‍👩‍👧 𝄞',
      "'; DROP TABLE x; --",
      '"%_\\',
      'é e\u0301',
      '\ufeff\r\n\t',
    ]
    const ids = ["it's", '100%', '_', '"quoted"', '\\', 'ü', '😀', 'a\0b', '../x']
    for (const id of ids) await make(store, id, { entries: [event(1, `name of ${id}`)] })
    await store.delete('_')
    assert.equal((await store.list()).length, ids.length - 1)
    for (const id of ids.filter((other) => other !== '_')) {
      assert.equal((await headOf(store, id)).sessionId, id)
      assert.deepEqual(await store.find(`name of ${id}`), [{ sessionId: id, ordinal: 1 }])
    }
    const entries = texts.map((text) => ({ type: `type ${text}`, body: text }))
    const rows = texts.map((text) => ({ hash: `hash ${text}`, body: text }))
    const key = { key: 'k\0\u2028', hash: 'h', answer: texts.join() }
    const commit: Commit = { sessionId: "it's", entries, blocks: { from: 0, rows }, submission: key }
    committed(await store.commit(commit))
    const log = await store.read("it's", { after: 1 })
    assert.deepEqual(
      log.map(({ type, body }) => ({ type, body })),
      entries,
    )
    assert.deepEqual(await store.blocks("it's", [[0, 99]]), rows)
    const again = await store.commit(commit)
    assert.deepEqual(again.status === 'duplicate' && again.submission, key)
  },

  async 'a body may have five megabytes'(store) {
    const body = JSON.stringify({ text: 'äb😀'.repeat(700_000) })
    await make(store, 's', {
      entries: [{ type: 'x', body }, event(2)],
      blocks: { from: 0, rows: [{ hash: 'h', body }] },
    })
    const log = await store.read('s', { after: 0 })
    assert.deepEqual([log.length, log[0]?.body === body], [1, true])
    assert.equal((await store.blocks('s', [[0, 1]]))[0]?.body === body, true)
  },

  async 'a store that is whole says so'(store) {
    await make(store, 's', { ...everything(), entries: [event(1), event(2)] })
    await store.trim('s', 2)
    assert.deepEqual(await store.integrity(), [])
  },

  async 'what is asked of a closed store is refused'(store) {
    await store.close()
    await store.close()
    for (const call of [
      () => store.head('s'),
      () => store.commit({ sessionId: 's', entries: [] }),
      () => store.list(),
    ]) {
      await assert.rejects(call, (error) => isGeppettoError(error, 'STORE_CLOSED'))
    }
  },
}
