import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { event } from '../../test/support/arbitraries.ts'
import { toolResult } from '../turns/block.ts'
import { encodeEvent } from './codec.ts'
import type { InferenceEvent } from './event.ts'
import type { EventSink } from './sink.ts'
import { jsonPrinter, yamlPrinter } from './structured-printer.ts'

const ids = { at: '2026-01-02T03:04:05.678Z', sessionId: 's1', inferenceId: 'i1', turnId: 't1' }
const events: readonly InferenceEvent[] = [
  { type: 'inference-started', ordinal: 1, ...ids },
  {
    type: 'tool-result-ready',
    ordinal: 2,
    ...ids,
    toolCallId: 'c1',
    toolName: 'weather',
    status: 'success',
    block: toolResult('c1', 'two\nlines\n'),
  },
]

function printed(events: readonly InferenceEvent[], make: (write: (text: string) => void) => EventSink): string {
  let text = ''
  const sink = make((more) => (text += more))
  for (const each of events) void sink(each)
  return text
}

describe('jsonPrinter', () => {
  it('prints one event a line', () => {
    expect(printed(events, (write) => jsonPrinter(write))).toBe(
      '{"type":"inference-started","ordinal":1,"at":"2026-01-02T03:04:05.678Z","session_id":"s1","inference_id":"i1","turn_id":"t1"}\n' +
        '{"type":"tool-result-ready","ordinal":2,"at":"2026-01-02T03:04:05.678Z","session_id":"s1","inference_id":"i1","turn_id":"t1",' +
        '"tool_call_id":"c1","tool_name":"weather","status":"success","block":{"kind":"tool_use","payload":{"id":"c1","result":"two\\nlines\\n"}}}\n',
    )
  })

  it('leaves out ordinal, time and ids when asked to', () => {
    expect(printed(events, (write) => jsonPrinter(write, { ids: false }))).toBe(
      '{"type":"inference-started"}\n' +
        '{"type":"tool-result-ready","tool_name":"weather","status":"success","block":{"kind":"tool_use","payload":{"id":"c1","result":"two\\nlines\\n"}}}\n',
    )
  })
})

describe('yamlPrinter', () => {
  it('prints each event as a document', () => {
    expect(printed(events, (write) => yamlPrinter(write))).toBe(`---
type: inference-started
ordinal: 1
at: "2026-01-02T03:04:05.678Z"
session_id: s1
inference_id: i1
turn_id: t1
---
type: tool-result-ready
ordinal: 2
at: "2026-01-02T03:04:05.678Z"
session_id: s1
inference_id: i1
turn_id: t1
tool_call_id: c1
tool_name: weather
status: success
block:
  kind: tool_use
  payload:
    id: c1
    result: |
      two
      lines
`)
  })

  it('prints documents that say what the events say', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 3 }), (some) => {
        const documents = parseAllDocuments(
          printed(some, (write) => yamlPrinter(write)),
          { logLevel: 'silent' },
        )
        const values = 'empty' in documents ? [] : documents.map((document) => JSON.stringify(document.toJS()))
        expect(values).toEqual(some.map((each) => JSON.stringify(encodeEvent(each))))
      }),
    )
  })
})
