import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { eventOf, eventTypes, unknownEvent } from '../../test/support/arbitraries.ts'
import { isGeppettoError } from '../errors.ts'
import { toolCall } from '../turns/block.ts'
import { decodeEvent, encodeEvent, eventToJsonLine } from './codec.ts'
import { defineEvent, EventRegistry } from './custom.ts'
import { eventTable } from './event-table.ts'
import type { InferenceEvent } from './event.ts'

const envelope = { ordinal: 7, at: '2026-01-02T03:04:05.678Z' }
const run = { sessionId: 's1', inferenceId: 'i1', turnId: 't1' }
const call = { ...run, providerCallId: 'c1', attempt: 2 }
const storedRun = { ...envelope, session_id: 's1', inference_id: 'i1', turn_id: 't1' }
const storedCall = { ...storedRun, provider_call_id: 'c1', attempt: 2 }

describe('encodeEvent', () => {
  it('puts the ids before the fields, in one order, and says every name in snake_case', () => {
    const delta: InferenceEvent = {
      delta: 'Hi',
      offset: 12,
      type: 'text-delta',
      segmentId: 'c1:0',
      ...call,
      ...envelope,
    }
    expect(eventToJsonLine(delta)).toBe(
      '{"type":"text-delta","ordinal":7,"at":"2026-01-02T03:04:05.678Z","session_id":"s1","inference_id":"i1","turn_id":"t1",' +
        '"provider_call_id":"c1","attempt":2,"segment_id":"c1:0","offset":12,"delta":"Hi"}\n',
    )
  })

  it.each<[string, InferenceEvent, object]>([
    [
      'a block in its stored form',
      { type: 'tool-call-requested', ...envelope, ...run, toolCallId: 'x', block: toolCall('x', 'add', { A: 1 }) },
      { tool_call_id: 'x', block: { id: 'x', kind: 'tool_call', payload: { id: 'x', name: 'add', args: { A: 1 } } } },
    ],
    [
      'the blocks of an edit too',
      {
        type: 'turn-edited',
        ...envelope,
        ...run,
        by: 'prompt',
        delta: { head: 0, add: [{ kind: 'other', rawKind: 'video', payload: {} }], tail: 3, data: { 'app.x@v1': 1 } },
      },
      { by: 'prompt', delta: { head: 0, add: [{ kind: 'video' }], tail: 3, data: { 'app.x@v1': 1 } } },
    ],
    [
      'results and an application\u2019s data as they are',
      {
        type: 'inference-failed',
        ...envelope,
        ...run,
        error: { code: 'INTERNAL', message: 'no' },
        result: { finish_class: 'error', someField: 1 },
      },
      { error: { code: 'INTERNAL', message: 'no' }, result: { finish_class: 'error', someField: 1 } },
    ],
  ])('stores %s', (_what, event, fields) => {
    expect(encodeEvent(event)).toEqual({ type: event.type, ...storedRun, ...fields })
  })

  it('leaves out what is undefined', () => {
    const event = { type: 'web-search-started', ...envelope, ...call, query: undefined } as unknown as InferenceEvent
    expect(Object.keys(encodeEvent(event))).toEqual(['type', ...Object.keys(storedCall)])
  })

  it('never writes the old run_id', () => {
    fc.assert(
      fc.property(fc.constantFrom(...eventTypes).chain(eventOf), (event) => !('run_id' in encodeEvent(event))),
      { numRuns: 200 },
    )
  })
})

describe('decodeEvent', () => {
  it.each(eventTypes)('gives back %s as it was encoded', (type) => {
    fc.assert(
      fc.property(eventOf(type), (event) => {
        const line = eventToJsonLine(event)
        const decoded = decodeEvent(JSON.parse(line))
        expect(decoded).toEqual(event)
        expect(eventToJsonLine(decoded)).toBe(line)
      }),
      { numRuns: 40 },
    )
  })

  it('has a test value for every type of the catalogue', () => {
    expect(eventTypes.toSorted()).toEqual(Object.keys(eventTable).toSorted())
  })

  it('keeps an event of a type that it does not know', () => {
    const stored = { type: 'hologram-started', ...storedCall, run_id: 5, size: { w: 1 }, segment_id: 4 }
    const event = decodeEvent(stored)
    expect(event).toMatchObject({
      type: 'unknown',
      rawType: 'hologram-started',
      providerCallId: 'c1',
      fields: { segment_id: 4 },
    })
    expect(encodeEvent(event)).toEqual(stored)
  })

  it('gives back any unknown event as it was', () => {
    fc.assert(
      fc.property(unknownEvent, (event) => {
        expect(decodeEvent(JSON.parse(eventToJsonLine(event)))).toEqual(event)
      }),
    )
  })

  it('reads names of JavaScript as types and fields like any other', () => {
    const event = decodeEvent(
      JSON.parse('{"type":"constructor","ordinal":1,"at":"","session_id":"s","__proto__":{"x":1}}'),
    )
    expect(event).toMatchObject({ type: 'unknown', rawType: 'constructor' })
    expect(eventToJsonLine(event)).toContain('"__proto__":{"x":1}')
    expect(({} as { x?: number }).x).toBeUndefined()
  })

  it('ignores fields that a known type does not have', () => {
    const stored = { type: 'inference-started', ...storedRun, new_field: 1, __proto__: { a: 1 } }
    expect(decodeEvent(stored)).toEqual({ type: 'inference-started', ...envelope, ...run })
  })

  it.each([
    [{}, 'The event has no type.'],
    [[], 'An event is a JSON object with a type.'],
    [null, 'An event is a JSON object with a type.'],
    [{ type: '' }, 'The event has no type.'],
    [
      { type: 'inference-started', ...storedRun, ordinal: '7' },
      'inference-started cannot be read: ordinal must be a whole number from 0 up.',
    ],
    [{ type: 'inference-started', ...storedRun, ordinal: 1.5 }, 'ordinal must be a whole number'],
    [{ type: 'inference-started', ...storedRun, ordinal: -1 }, 'ordinal must be a whole number'],
    [{ type: 'inference-started', ...storedRun, at: 5 }, 'at must be a time as text'],
    [{ type: 'new-type', ordinal: 1 }, 'new-type cannot be read: at must be a time as text'],
    [
      { type: 'text-delta', ...storedCall, segment_id: 'x', delta: 'a' },
      'text-delta cannot be read: offset is missing',
    ],
    [{ type: 'text-delta', ...storedCall, segment_id: 'x', delta: 5, offset: 1 }, 'delta has a value that this type'],
    [{ type: 'log', ...storedRun, level: 'loud', message: '' }, 'level has a value that this type'],
    [
      { type: 'tool-call-finished', ...storedRun, tool_call_id: 'x', tool_name: 'a', status: 'maybe' },
      'status has a value',
    ],
    [
      { type: 'tool-call-finished', ...storedRun, tool_call_id: 'x', tool_name: 'a', status: 'error', attempt: 'x' },
      'attempt',
    ],
    [{ type: 'text-segment-finished', ...storedCall, segment_id: 'x', block: { kind: 'user' } }, 'block has a value'],
    [
      { type: 'text-segment-finished', ...storedCall, segment_id: 'x', block: { kind: 'llm_text', payload: 4 } },
      'block has',
    ],
    [{ type: 'turn-edited', ...storedRun, by: 'x', delta: { head: 0, add: [4], tail: 0 } }, 'delta has a value'],
    [{ type: 'inference-finished', ...storedRun, result: {} }, 'result has a value'],
    [{ type: 'request-projected', ...storedCall, repairs: [{ repair: 'x' }] }, 'repairs has a value'],
  ])('refuses %j', (stored, message) => {
    const thrown = thrownBy(() => decodeEvent(stored))
    expect(isGeppettoError(thrown, 'EVENT_INVALID')).toBe(true)
    expect(String(thrown)).toContain(message)
  })

  const required = {
    turn: ['session_id', 'turn_id'],
    inference: ['session_id', 'inference_id', 'turn_id'],
    'provider-call': ['session_id', 'inference_id', 'turn_id', 'provider_call_id', 'attempt'],
    segment: ['session_id', 'inference_id', 'turn_id', 'provider_call_id', 'attempt', 'segment_id'],
    'tool-call': ['session_id', 'inference_id', 'turn_id', 'tool_call_id'],
  } as const
  it.each(eventTypes)('names each id that is missing from %s', (type) => {
    const [event] = fc.sample(eventOf(type), { numRuns: 1, seed: 1 })
    if (event === undefined) throw new Error('no sample')
    for (const id of required[eventTable[type][0]]) {
      for (const missing of [{}, { [id]: '' }]) {
        const { [id]: _gone, ...stored } = encodeEvent(event)
        expect(() => decodeEvent({ ...stored, ...missing })).toThrow(
          `The event ${type} cannot be read: ${id} is missing.`,
        )
      }
    }
  })

  it('checks the data of the custom events that a registry knows', () => {
    const drawn = defineEvent('app.drawn', v.object({ points: v.number() }))
    const registry = new EventRegistry([drawn])
    const stored = { type: 'custom', ...storedRun, name: 'app.drawn', data: { points: 3 } }
    expect(decodeEvent(stored, registry)).toEqual({
      type: 'custom',
      ...envelope,
      ...run,
      name: 'app.drawn',
      data: { points: 3 },
    })
    expect(() => decodeEvent({ ...stored, data: {} }, registry)).toThrow('The data of event "app.drawn" cannot be used')
    expect(decodeEvent({ ...stored, data: {} })).toMatchObject({ data: {} })
    expect(decodeEvent({ ...stored, name: 'other', data: {} }, registry)).toMatchObject({ name: 'other' })
  })
})

function thrownBy(run: () => unknown): unknown {
  try {
    run()
  } catch (error) {
    return error
  }
  return undefined
}
