import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { collect } from '../../test/support/values.ts'
import { assistantText } from '../turns/block.ts'
import type { EngineEvent } from './event.ts'
import { extractTagged, type ExtractOptions, type TaggedBlock, type TaggedExtractor } from './extract-tagged.ts'

/** An extractor that says all that it is told, as custom events. */
function witness(tag: string, blocks: TaggedBlock[] = []): TaggedExtractor {
  return {
    tag,
    open(block) {
      blocks.push(block)
      return {
        onStart: () => [said(`start ${block.id}`)],
        onRaw: (raw) => [said(`raw ${raw}`)],
        onCompleted: (raw, { ok, error }) => [said(`end ${raw} ${ok ? 'ok' : (error ?? 'ignored')}`)],
      }
    },
  }
}

function said(name: string): EngineEvent {
  return { type: 'custom', name, data: null }
}

const started: EngineEvent = { type: 'text-segment-started', segmentId: '0' }

function streamed(chunks: readonly string[], finalText = chunks.join('')): readonly EngineEvent[] {
  let offset = 0
  const deltas = chunks.map((delta): EngineEvent => {
    const event: EngineEvent = { type: 'text-delta', segmentId: '0', offset, delta }
    offset += delta.length
    return event
  })
  return [started, ...deltas, { type: 'text-segment-finished', segmentId: '0', block: assistantText(finalText) }]
}

async function* stream(events: readonly (EngineEvent | Error)[]): AsyncIterable<EngineEvent> {
  for (const event of events) {
    if (event instanceof Error) throw event
    yield await Promise.resolve(event)
  }
}

function filtered(
  events: readonly (EngineEvent | Error)[],
  options?: ExtractOptions,
  blocks?: TaggedBlock[],
): Promise<EngineEvent[]> {
  return collect(extractTagged([witness('x:y:z', blocks), witness('app:chart:v1', blocks)], options)(stream(events)))
}

/** A line for each event, to read in a table. */
function lines(events: readonly EngineEvent[]): readonly string[] {
  return events.map((event) => {
    if (event.type === 'custom') return event.name
    if (event.type === 'text-delta') return `@${event.offset} ${event.delta}`
    if (event.type === 'text-segment-finished') return `= ${event.block.payload.text}`
    return event.type
  })
}

describe('extractTagged', () => {
  it('takes blocks out of deltas and of the finished text, and moves the offsets', async () => {
    const events = await filtered(streamed(['Look: <x:', 'y:z>one', ' two</x:y:z> and', ' that.']))
    expect(lines(events)).toEqual([
      'text-segment-started',
      '@0 Look: ',
      'start 0:1',
      'raw one',
      'raw  two',
      'end one two ok',
      '@6  and',
      '@10  that.',
      '= Look:  and that.',
    ])
  })

  it('lets what an extractor says come before the text of the same delta', async () => {
    const events = await filtered(streamed(['a<x:y:z>1</x:y:z>b<app:chart:v1>2</app:chart:v1>c']))
    expect(lines(events)).toEqual([
      'text-segment-started',
      'start 0:1',
      'raw 1',
      'end 1 ok',
      'start 0:2',
      'raw 2',
      'end 2 ok',
      '@0 abc',
      '= abc',
    ])
  })

  it('passes everything else through, in order', async () => {
    const events: readonly EngineEvent[] = [
      { type: 'provider-call-started', provider: 'test', model: 'm' },
      { type: 'reasoning-delta', segmentId: 'r', offset: 0, delta: '<x:y:z>' },
      said('x'),
    ]
    expect(await filtered(events)).toEqual(events)
  })

  it('keeps what the finished block has besides its text', async () => {
    const block = { ...assistantText('a<x:y:z></x:y:z>'), id: 'b', metadata: { 'app.k@v1': 1 } }
    const events = await filtered([{ type: 'text-segment-finished', segmentId: '0', block, partial: true }])
    expect(events.at(-1)).toEqual({
      type: 'text-segment-finished',
      segmentId: '0',
      block: { ...block, payload: { text: 'a' } },
      partial: true,
    })
  })

  it('reads from the finished block what no delta brought', async () => {
    expect(lines(await filtered(streamed(['ab'], 'ab<x:y:z>1</x:y:z>c')))).toEqual([
      'text-segment-started',
      '@0 ab',
      'start 0:1',
      'raw 1',
      'end 1 ok',
      '@2 c',
      '= abc',
    ])
  })

  it('lets go of the beginning of a tag at the end', async () => {
    expect(lines(await filtered(streamed(['a<x:y'])))).toEqual(['text-segment-started', '@0 a', '@1 <x:y', '= a<x:y'])
  })

  const error = 'malformed block <x:y:z>: it has no closing tag </x:y:z>'
  it.each<[ExtractOptions['malformed'], readonly string[]]>([
    ['error', [`end <x:y:z>1 ${error}`, '= a']],
    ['ignore', ['end <x:y:z>1 ignored', '= a']],
    ['reconstruct', [`end <x:y:z>1 ${error}`, '@1 <x:y:z>1', '= a<x:y:z>1']],
  ])('ends an unfinished block once, under %s', async (malformed = 'error', end) => {
    const events = await filtered(streamed(['a<x:y:z>1']), { malformed })
    expect(lines(events)).toEqual(['text-segment-started', 'start 0:1', 'raw 1', '@0 a', ...end])
  })

  it('keeps the text and the blocks of two segments apart', async () => {
    const delta = (segmentId: string, text: string): EngineEvent => ({
      type: 'text-delta',
      segmentId,
      offset: 0,
      delta: text,
    })
    const events = await filtered([delta('a', 'A<x:y'), delta('b', 'B<x:y'), delta('a', ':z>1'), delta('b', ':w>2')])
    expect(lines(events)).toEqual(['@0 A', '@0 B', 'start a:1', 'raw 1', '@1 <x:y:w>2', `end <x:y:z>1 ${error}`])
  })

  it('when the engine fails, ends its blocks, lets go of held text and passes the error on', async () => {
    const seen: EngineEvent[] = []
    const blocks: TaggedBlock[] = []
    const source = stream([...streamed(['a<x:y:z>1']).slice(0, -1), new Error('broken')])
    const failing = async () => {
      for await (const event of extractTagged([witness('x:y:z', blocks)])(source)) seen.push(event)
    }
    await expect(failing()).rejects.toThrow('broken')
    expect(lines(seen)).toEqual(['text-segment-started', 'start 0:1', 'raw 1', '@0 a', `end <x:y:z>1 ${error}`])
    expect(blocks[0]?.signal.aborted).toBe(true)
  })

  it('when its reader stops, tells the open blocks and closes the engine', async () => {
    const blocks: TaggedBlock[] = []
    let isClosed = false
    async function* source(): AsyncIterable<EngineEvent> {
      try {
        yield* stream(streamed(['<x:y:z>1']))
      } finally {
        isClosed = true
      }
    }
    for await (const event of extractTagged([witness('x:y:z', blocks)])(source())) {
      if (event.type === 'custom') break
    }
    expect(blocks.map(({ signal }) => signal.aborted)).toEqual([true])
    expect(isClosed).toBe(true)
  })

  it('begins anew when an attempt is discarded: its open blocks are told, and say nothing more', async () => {
    const blocks: TaggedBlock[] = []
    const discarded: EngineEvent = {
      type: 'attempt-discarded',
      error: { code: 'PROVIDER_OVERLOADED', message: 'busy' },
      blocks: 0,
      retryInMs: 1,
    }
    const events = await filtered([...streamed(['ab<x:y:z>1']).slice(0, -1), discarded, ...streamed(['c'])], {}, blocks)
    expect(lines(events)).toEqual([
      'text-segment-started',
      'start 0:1',
      'raw 1',
      '@0 ab',
      'attempt-discarded',
      'text-segment-started',
      '@0 c',
      '= c',
    ])
    expect(blocks.map(({ signal }) => signal.aborted)).toEqual([true])
  })

  it('ends what a provider call left open before the call ends', async () => {
    const finished: EngineEvent = {
      type: 'provider-call-finished',
      finishClass: 'completed',
      result: { finish_class: 'completed' },
      blocks: 0,
    }
    const events = await filtered([...streamed(['<x:y:z>1']).slice(0, -1), finished, ...streamed(['c'])])
    expect(lines(events)).toEqual([
      'text-segment-started',
      'start 0:1',
      'raw 1',
      `end <x:y:z>1 ${error}`,
      'provider-call-finished',
      'text-segment-started',
      '@0 c',
      '= c',
    ])
  })

  it('aborts the signal of a block that has finished', async () => {
    const blocks: TaggedBlock[] = []
    await filtered(streamed(['<x:y:z>1</x:y:z>']), {}, blocks)
    expect(blocks).toMatchObject([{ id: '0:1', tag: 'x:y:z', segmentId: '0', signal: { aborted: true } }])
  })

  it('works for extractors that only listen to some of it', async () => {
    const silent = extractTagged([{ tag: 'x:y:z', open: () => ({}) }])
    expect(lines(await collect(silent(stream(streamed(['a<x:y:z>1</x:y:z>b'])))))).toEqual([
      'text-segment-started',
      '@0 ab',
      '= ab',
    ])
  })

  it('refuses two extractors for one tag', () => {
    expect(() => extractTagged([witness('x:y:z'), witness('x:y:z')])).toThrow(
      expect.objectContaining({ code: 'EVENT_TYPE_TAKEN' }),
    )
  })

  const morsel = fc.constantFrom(
    'a',
    '\n',
    '<',
    '<x:y:z>',
    '</x:y:z>',
    '<app:chart:v1>',
    '</app:chart:v1>',
    '</x:y',
    '<x:y',
    '😀',
  )
  const chunks = fc.array(fc.array(morsel, { maxLength: 4 }).map((parts) => parts.join('')))
  it('gives the same text and the same calls wherever the text is cut', async () => {
    await fc.assert(
      fc.asyncProperty(chunks, fc.constantFrom('error', 'reconstruct', 'ignore'), async (cut, malformed) => {
        const [whole, pieces] = await Promise.all([
          filtered(streamed([cut.join('')]), { malformed }),
          filtered(streamed(cut), { malformed }),
        ])
        expect(summary(pieces)).toEqual(summary(whole))
        expect(offsetsHold(pieces)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  // The pieces of a payload may be cut elsewhere; the completed calls hold it whole.
  function summary(events: readonly EngineEvent[]) {
    const last = events.at(-1)
    return {
      calls: events.flatMap((event) => (event.type === 'custom' && !event.name.startsWith('raw ') ? [event.name] : [])),
      streamed: events.map((event) => (event.type === 'text-delta' ? event.delta : '')).join(''),
      finished: last?.type === 'text-segment-finished' ? last.block.payload.text : undefined,
    }
  }

  function offsetsHold(events: readonly EngineEvent[]): boolean {
    let length = 0
    return events.every((event) => {
      if (event.type !== 'text-delta') return true
      const holds = event.offset === length && event.delta !== ''
      length += event.delta.length
      return holds
    })
  }
})
