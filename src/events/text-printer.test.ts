import { describe, expect, it } from 'vitest'
import { assistantText, reasoning, toolCall, toolError, toolResult } from '../turns/block.ts'
import type { EngineEvent, InferenceEvent, LifecycleFields } from './event.ts'
import { textPrinter, type TextPrinterOptions } from './text-printer.ts'

type Fact =
  | Exclude<EngineEvent, { type: 'turn-edited' }>
  | { [T in keyof LifecycleFields]: { readonly type: T } & LifecycleFields[T] }[keyof LifecycleFields]

const ids = { sessionId: 's', inferenceId: 'i', turnId: 't', providerCallId: 'c', attempt: 1 }

function print(facts: readonly Fact[], options?: TextPrinterOptions): string {
  let printed = ''
  const sink = textPrinter((text) => (printed += text), options)
  facts.forEach((fact, index) => {
    const event = { ordinal: index + 1, at: '', ...ids, ...fact } as InferenceEvent // each fact has the fields of its type
    void sink(event)
  })
  return printed
}

const wholeRun: readonly Fact[] = [
  { type: 'inference-started' },
  { type: 'provider-call-started', provider: 'test', model: 'm' },
  { type: 'reasoning-segment-started', segmentId: 'r' },
  { type: 'reasoning-delta', segmentId: 'r', offset: 0, delta: 'Where is ' },
  { type: 'reasoning-delta', segmentId: 'r', offset: 9, delta: 'Paris?' },
  { type: 'reasoning-segment-finished', segmentId: 'r', block: reasoning({ text: 'Where is Paris?' }) },
  { type: 'text-segment-started', segmentId: 'a' },
  { type: 'text-delta', segmentId: 'a', offset: 0, delta: 'Let me ' },
  { type: 'text-delta', segmentId: 'a', offset: 7, delta: 'look.' },
  { type: 'text-segment-finished', segmentId: 'a', block: assistantText('Let me look.') },
  { type: 'tool-call-requested', toolCallId: '1', block: toolCall('1', 'weather', { city: 'Paris' }) },
  { type: 'tool-call-requested', toolCallId: '2', block: toolCall('2', 'weather', '{"city": "Lond') },
  { type: 'tool-execution-started', toolCallId: '1', toolName: 'weather', input: { city: 'Paris' } },
  { type: 'tool-progress', toolCallId: '1', toolName: 'weather', progress: { percent: 50 } },
  {
    type: 'tool-result-ready',
    toolCallId: '1',
    toolName: 'weather',
    status: 'success',
    block: toolResult('1', { sky: 'blue' }),
  },
  {
    type: 'tool-result-ready',
    toolCallId: '2',
    toolName: 'weather',
    status: 'error',
    block: toolError('2', 'cut off'),
  },
  { type: 'web-search-started', query: 'sky' },
  { type: 'web-search-open-page', url: 'https://example.com' },
  { type: 'citation', title: 'Sky', url: 'https://example.com' },
  { type: 'citation', url: 'https://example.com/2' },
  { type: 'text-delta', segmentId: 'b', offset: 0, delta: 'Blue.\n' },
  { type: 'text-segment-finished', segmentId: 'b', block: assistantText('Blue.\n') },
  { type: 'log', level: 'debug', message: 'not shown' },
  { type: 'log', level: 'warn', message: 'slow' },
  { type: 'info', message: 'half way' },
  { type: 'agent-mode-switch', message: 'agentmode: mode switched', data: {} },
  { type: 'attempt-discarded', error: { code: 'PROVIDER_OVERLOADED', message: 'busy' }, blocks: 0, retryInMs: 250 },
  { type: 'debugger.pause', pauseId: 'p', phase: 'post_inference', summary: 'one call', deadlineMs: 5 },
  { type: 'persist-failed', error: { code: 'INTERNAL', message: 'disk full' } },
  { type: 'inference-finished', result: { finish_class: 'completed' } },
]

describe('textPrinter', () => {
  it('prints a whole run', () => {
    expect(print(wholeRun)).toBe(`--- Thinking started ---
Where is Paris?
--- Thinking ended ---
Let me look.
--- Tool call: weather {"city":"Paris"}
--- Tool call: weather {"city": "Lond
--- Tool progress: weather {"percent":50}
--- Tool result: weather {"sky":"blue"}
--- Tool error: weather: cut off
--- Web search: sky
--- Web page: https://example.com
--- Citation: Sky - https://example.com
--- Citation: https://example.com/2
Blue.
[warn] slow
[i] half way
[i] agentmode: mode switched
--- Attempt failed: busy (next in 250 ms)
--- Paused at post_inference: one call
[error] the turn was not stored: disk full
`)
  })

  it('prints each delta when it comes', () => {
    const written: string[] = []
    const sink = textPrinter((text) => written.push(text))
    const delta = { type: 'text-delta', ordinal: 1, at: '', ...ids, segmentId: 'a', offset: 0, delta: 'Hel' } as const
    void sink(delta)
    expect(written).toEqual(['Hel'])
  })

  it('leaves reasoning out when asked to', () => {
    const printed = print(wholeRun.slice(0, 10), { reasoning: false })
    expect(printed).toBe('Let me look.\n')
  })

  it.each<[string, readonly Fact[], string]>([
    [
      'text that never streamed, from its block',
      [{ type: 'text-segment-finished', segmentId: 'a', block: assistantText('Hi') }],
      'Hi\n',
    ],
    [
      'reasoning that never streamed, from its block',
      [{ type: 'reasoning-segment-finished', segmentId: 'a', block: reasoning({ text: 'Hm' }) }],
      '--- Thinking started ---\nHm\n--- Thinking ended ---\n',
    ],
    [
      'nothing for sealed reasoning',
      [{ type: 'reasoning-segment-finished', segmentId: 'a', block: reasoning({}) }],
      '',
    ],
    [
      'segments that overlap, each on its own lines',
      [
        { type: 'reasoning-delta', segmentId: 'r', offset: 0, delta: 'Hm' },
        { type: 'text-delta', segmentId: 'a', offset: 0, delta: 'Hi' },
        { type: 'text-delta', segmentId: 'b', offset: 0, delta: 'Ho' },
      ],
      '--- Thinking started ---\nHm\n--- Thinking ended ---\nHi\nHo',
    ],
    [
      'a line in the middle of text',
      [
        { type: 'text-delta', segmentId: 'a', offset: 0, delta: 'Hi' },
        { type: 'log', level: 'error', message: 'm' },
      ],
      'Hi\n[error] m\n',
    ],
    [
      'how a run failed',
      [
        {
          type: 'inference-failed',
          error: { code: 'PROVIDER_AUTH', message: 'bad key' },
          result: { finish_class: 'error' },
        },
      ],
      '[error] PROVIDER_AUTH: bad key\n',
    ],
    [
      'that a run was stopped',
      [{ type: 'inference-stopped', reason: 'by hand', result: { finish_class: 'interrupted' } }],
      '--- Stopped: by hand\n',
    ],
    [
      'that a run was interrupted',
      [{ type: 'inference-interrupted', reason: 'crash', result: { finish_class: 'interrupted' } }],
      '--- Interrupted: crash\n',
    ],
    [
      'that an answer is not whole',
      [{ type: 'inference-finished', result: { finish_class: 'max_tokens' } }],
      '--- Finished: max_tokens\n',
    ],
    [
      'a long result, shortened',
      [
        {
          type: 'tool-result-ready',
          toolCallId: '1',
          toolName: 'a',
          status: 'success',
          block: toolResult('1', 'x\n'.repeat(300)),
        },
      ],
      `--- Tool result: a ${'x '.repeat(100)}…\n`,
    ],
    [
      'no control characters of the model',
      [{ type: 'text-delta', segmentId: 'a', offset: 0, delta: '\u001b]52;c;eA==\u0007a\rb\u009b2J\tc\n' }],
      '\ufffd]52;c;eA==\ufffdab\ufffd2J\tc\n',
    ],
    [
      'no control characters of a tool',
      [
        {
          type: 'tool-result-ready',
          toolCallId: '1',
          toolName: 'a',
          status: 'error',
          block: toolError('1', '\u001b[2J'),
        },
      ],
      '--- Tool error: a: \ufffd[2J\n',
    ],
  ])('prints %s', (_what, facts, printed) => {
    expect(print(facts)).toBe(printed)
  })

  it('sets reasoning, markers and errors apart by colour, not the answer', () => {
    const facts: readonly Fact[] = [
      { type: 'reasoning-delta', segmentId: 'r', offset: 0, delta: 'Hm' },
      { type: 'text-delta', segmentId: 'a', offset: 0, delta: 'Hi' },
      { type: 'inference-failed', error: { code: 'INTERNAL', message: 'm' }, result: { finish_class: 'error' } },
    ]
    expect(print(facts, { color: true })).toBe(
      '\u001b[2m--- Thinking started ---\u001b[22m\n\u001b[2mHm\u001b[22m\n\u001b[2m--- Thinking ended ---\u001b[22m\n' +
        'Hi\n\u001b[31m[error] INTERNAL: m\u001b[39m\n',
    )
  })
})
