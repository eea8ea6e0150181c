import { describe, expect, test } from 'vitest'
import { collect } from '../../test/support/values.ts'
import { Replay } from './replay.ts'

describe('a sequence that grows', () => {
  test('gives each reader all of it, whenever it comes', async () => {
    const replay = new Replay<number>()
    replay.push(1)
    const early = collect(replay)
    replay.push(2)
    replay.end()
    expect([await early, await collect(replay)]).toEqual([
      [1, 2],
      [1, 2],
    ])
  })

  test('begins with its first reader when it keeps nothing unread', async () => {
    const replay = new Replay<number>(false)
    replay.push(1)
    const first = collect(replay)
    replay.push(2)
    const second = collect(replay)
    replay.push(3)
    replay.end()
    expect([await first, await second]).toEqual([
      [2, 3],
      [2, 3],
    ])
  })
})
