import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { block as anyBlock } from '../../test/support/arbitraries.ts'
import { assistantText, toolCall, userText } from './block.ts'
import { decodeBlock } from './decode.ts'
import { encodeBlock } from './encode.ts'
import { blockHash } from './hash.ts'

describe('blockHash', () => {
  it('is the SHA-256 of the stored block without its id, keys sorted', () => {
    // printf '{"kind":"user","payload":{"text":"Hi"},"role":"user"}' | sha256sum
    expect(blockHash({ ...userText('Hi'), id: 'x' })).toBe(
      '6babe283788763c2332fadb7f22f2db902967bdab27cf33bc9927cfc853f4ad6',
    )
  })

  it('does not depend on the order of keys or the id', () => {
    const one = toolCall('c', 'f', { a: 1, b: { x: 1, y: 2 } })
    expect(blockHash({ ...toolCall('c', 'f', { b: { y: 2, x: 1 }, a: 1 }), id: 'other' })).toBe(blockHash(one))
  })

  it('depends on everything else', () => {
    const base = assistantText('A')
    const others = [
      assistantText('B'),
      userText('A'),
      { ...base, role: 'narrator' },
      { ...base, metadata: { 'app.k@v1': 1 } },
      { ...base, payload: { text: 'A', item_id: 'i' } },
      { ...base, extra: { order: 1 } },
      toolCall('c', 'f', { a: [1, 2] }),
      toolCall('c', 'f', { a: [2, 1] }),
    ]
    expect(new Set([base, ...others].map(blockHash)).size).toBe(others.length + 1)
  })

  it('survives storing', () => {
    fc.assert(fc.property(anyBlock, (block) => blockHash(decodeBlock(encodeBlock(block))) === blockHash(block)))
  })
})
