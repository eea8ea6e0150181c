import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { block, turn as anyTurn } from '../../test/support/arbitraries.ts'
import { assistantText, systemText, userText } from '../turns/block.ts'
import { encodeTurn } from '../turns/encode.ts'
import { append, createTurn, prepend, type Turn } from '../turns/turn.ts'
import { BlockLog, chainHash, readTurn } from './block-log.ts'
import { MemoryStore } from './memory-store.ts'

const labels = (turn: Turn) => ({ turnId: turn.id, phase: 'final' as const })

/** A session whose turns go through a block log into a store. */
async function keeper() {
  const store = new MemoryStore()
  await store.commit({ sessionId: 's', create: { incarnation: 'x', createdAt: '' }, entries: [] })
  const keep = async (log: BlockLog, ...turns: readonly Turn[]) => {
    const write = log.write(turns.map((turn) => ({ turn, labels: labels(turn) })))
    const result = await store.commit({
      sessionId: 's',
      entries: [{ type: 'info', body: '{}' }],
      blocks: { from: write.from, rows: write.rows },
      snapshots: write.references.map((reference, at) => ({
        ...labels(turns[at] ?? createTurn()),
        ...reference,
        at: '',
        entry: 0,
      })),
    })
    expect(result.status).toBe('committed')
    write.accept()
    return write
  }
  const read = async () => Promise.all((await store.snapshots('s')).map((snapshot) => readTurn(store, 's', snapshot)))
  const reopen = async () => {
    const head = await store.head('s')
    const last = (await store.snapshots('s')).at(-1)
    return BlockLog.open(store, 's', head?.blocks ?? 0, last)
  }
  return { store, keep, read, reopen }
}

const one = append(createTurn([], 't1'), userText('a'))

describe('the block log', () => {
  test('takes in what is new in a turn, and names the rest', async () => {
    const { keep, read } = await keeper()
    const log = new BlockLog()
    const two = append({ ...one, id: 't2' }, assistantText('b'))
    const first = await keep(log, one)
    const second = await keep(log, two)
    expect([first.rows.length, second.rows.length]).toEqual([2, 1]) // a block and the data; a block
    expect(second.references[0]?.ranges).toEqual([
      [0, 1],
      [2, 3],
    ])
    expect(await read()).toEqual([one, two])
  })

  test('takes in several turns at once', async () => {
    const { keep, read } = await keeper()
    const two = append({ ...one, id: 't2' }, assistantText('b'))
    await keep(new BlockLog(), one, two)
    expect(await read()).toEqual([one, two])
  })

  test('keeps few ranges, however long the conversation', async () => {
    const { keep } = await keeper()
    const log = new BlockLog()
    let turn = one
    let ranges = 0
    for (let at = 0; at < 50; at += 1) {
      turn = append({ ...turn, metadata: { at } }, assistantText(`${at}`))
      ranges = (await keep(log, turn)).references[0]?.ranges.length ?? 0
    }
    expect(ranges).toBe(2)
  })

  test('writes a block that moved no second time, and one that changed once', async () => {
    const { keep, read } = await keeper()
    const log = new BlockLog()
    const long = append(one, assistantText('b'), userText('c'))
    await keep(log, long)
    const moved = { ...long, blocks: long.blocks.toReversed() }
    expect((await keep(log, moved)).rows).toEqual([])
    const changed = prepend({ ...moved, blocks: moved.blocks.with(1, assistantText('B')) }, systemText('s'))
    expect((await keep(log, changed)).rows).toHaveLength(2)
    expect((await read()).at(-1)).toEqual(changed)
  })

  test('remembers nothing of what was not accepted', async () => {
    const { keep, read } = await keeper()
    const log = new BlockLog()
    const block = assistantText('b')
    log.write([{ turn: append(one, block), labels: labels(one) }])
    await keep(log, append(one, block))
    expect(await read()).toEqual([append(one, block)])
  })

  test('knows its pieces again after it was opened, also for blocks that came another way', async () => {
    const { keep, read, reopen } = await keeper()
    const long = append(one, assistantText('b'))
    await keep(new BlockLog(), long)
    const log = await reopen()
    expect(log.turn).toEqual(long)
    const same: Turn = structuredClone(log.turn)
    expect((await keep(log, append(same, userText('c')))).rows).toHaveLength(1)
    expect(await read()).toHaveLength(2)
  })

  test('has hashes of which each vouches for all before it', async () => {
    const { keep, store } = await keeper()
    await keep(new BlockLog(), append(one, assistantText('b')))
    const pieces = await store.blocks('s', [[0, 3]])
    let before = ''
    for (const { hash, body } of pieces) {
      expect(hash).toBe(chainHash(before, body))
      before = hash
    }
    expect(pieces).toHaveLength(3)
  })

  test('gives back any turns, in any order of blocks, opened again in between or not', async () => {
    const edits = fc.array(fc.tuple(anyTurn, fc.array(block, { maxLength: 3 }), fc.boolean()), {
      minLength: 1,
      maxLength: 5,
    })
    await fc.assert(
      fc.asyncProperty(edits, async (given) => {
        const { keep, read, reopen } = await keeper()
        let log = new BlockLog()
        const turns: Turn[] = []
        for (const [turn, more, isReopened] of given) {
          const base = isReopened ? turn : { ...turn, blocks: [...(turns.at(-1)?.blocks ?? []), ...more] }
          turns.push(base)
          await keep(log, base)
          if (isReopened) log = await reopen()
        }
        expect((await read()).map(encodeTurn)).toEqual(turns.map(encodeTurn))
      }),
      { numRuns: 60 },
    )
  })
})
