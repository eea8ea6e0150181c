import fc from 'fast-check'
import {
  decisions,
  type EventOf,
  type InferenceEvent,
  type InferenceEventType,
  type UnknownEvent,
} from '../../src/events/event.ts'
import type { Json, JsonObject } from '../../src/json.ts'
import { userText, type Block, type BlockKind, type ImagePart, type UserBlock } from '../../src/turns/block.ts'
import type { TurnDelta } from '../../src/turns/delta.ts'
import type { Turn } from '../../src/turns/turn.ts'
import { finishClasses, type InferenceResult, type Usage } from '../../src/turns/values.ts'

// Values of the core types with everything in them that has ever broken a codec: words that YAML reads as something
// else, keys that JavaScript treats specially, text that UTF-8 cannot say, numbers at the edge of a double.

const trapWords = [
  '',
  'no',
  'on',
  'y',
  'null',
  '~',
  'true',
  '2024-01-01',
  '2024-01-01T10:00:00Z',
  '012',
  '0x1f',
  '1_000',
  '1e400',
]
const trapText = [
  ...trapWords,
  '<<',
  '*a',
  '&a',
  '!!js/function',
  '- a',
  'a: b',
  '# c',
  '---',
  '...',
  '{',
  '[',
  '"',
  "'",
  '%TAG',
  '@',
  '`',
  '|',
  '>',
  ' lead',
  'trail ',
  '\ttab',
  'two\n\nlines\n',
  '\r',
  '\r\n',
  '\n',
  ' \n ',
  ' \n \n',
  '\u0000',
  '\u001b[31m',
  '\u007f',
  '\u0085',
  '\u2028',
  '\ufeff',
  '\ufffe',
  '\ud800',
  'a\udc00',
  '\udc00\ud800',
  '😀',
  '9007199254740993',
  '.inf',
  '.nan',
  '0b1',
  '1:30',
  '=',
]
const trapKeys = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '<<', ...trapWords]

export const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...trapText),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.array(fc.constantFrom(...trapText), { maxLength: 4 }).map((parts) => parts.join('')),
)
const key = fc.oneof(fc.constantFrom(...trapKeys), fc.string({ maxLength: 6 }))
const number = fc
  .oneof(
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(2 ** 53, 2 ** 60, 2 ** 66, 1e20, 1e21, 5e-324, -1.5e300),
  )
  .map((value) => (value === 0 ? 0 : value)) // JSON has no -0

export const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.constant(null), fc.boolean(), number, text),
    fc.array(tie('value'), { maxLength: 4 }),
    recordOf(tie('value')),
  ),
})).value

export const jsonObject: fc.Arbitrary<JsonObject> = recordOf(json)

// Not fc.dictionary, and not an assignment: `__proto__` must become a property of its own.
function recordOf(value: fc.Arbitrary<Json>): fc.Arbitrary<JsonObject> {
  return fc.array(fc.tuple(key.filter(isPlain), value), { maxLength: 4 }).map((entries) => Object.fromEntries(entries))
}

// JSON.parse of Node 24.21 takes a key for the one before it when they differ in an escaped character alone: after
// {"\\":1} it reads {"\n":1} as {"\\":1}. Nothing that reads JSON can help it, so no test asks for it.
function isPlain(name: string): boolean {
  return JSON.stringify(name) === `"${name}"`
}

const someText = fc.string({ minLength: 1, maxLength: 12 })
/** An id: never empty. */
const id: fc.Arbitrary<string> = fc.oneof(
  fc.uuid(),
  fc.constantFrom('a', 'call_1', 'constructor', '__proto__', 'no', '12', 'é'),
)

function optional<T extends object>(record: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> {
  return fc.record(record, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>> // fc types the absent keys as `undefined`
}

/** Fields of its own on top of those that `known` makes, as a newer version would write them. */
function withUnknown<T extends object>(known: fc.Arbitrary<T>): fc.Arbitrary<T> {
  const unknown = fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: jsonObject })
  return fc.tuple(known, unknown).map(([fields, more]) => ({ ...more, ...fields }))
}

const base64 = fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => btoa(String.fromCharCode(...bytes)))
const mediaType = fc.constantFrom('image/png', 'image/jpeg')
const imagePart: fc.Arbitrary<ImagePart> = fc.oneof(
  fc.record({ url: fc.constantFrom('https://example.com/a.png', 'data:image/png;base64,aGk=') }),
  fc.record({ content: base64, media_type: mediaType }),
  fc.record({ file_id: someText, detail: fc.constantFrom('low', 'high', 'auto', 'original') }),
  fc.record({ file_uri: someText, media_type: mediaType }),
)

const payloads: { readonly [K in BlockKind]: fc.Arbitrary<Extract<Block, { kind: K }>['payload']> } = {
  system: withUnknown(fc.record({ text })),
  user: withUnknown(
    fc.oneof(fc.record({ text }), fc.record({ text, images: fc.array(imagePart, { minLength: 1, maxLength: 2 }) })),
  ),
  llm_text: withUnknown(fc.oneof(fc.record({ text }), fc.record({ text, item_id: someText }))),
  reasoning: withUnknown(
    optional({
      text,
      item_id: someText,
      encrypted_content: someText,
      signature: someText,
      summary: fc.array(json, { maxLength: 2 }),
    }),
  ),
  tool_call: withUnknown(fc.record({ id, name: someText, args: fc.oneof(jsonObject, text) })),
  tool_use: withUnknown(
    fc.oneof(
      fc.record({ id, result: json }),
      fc.record({ id, error: text }),
      fc.record({ id, result: json, error: text }),
    ),
  ),
  other: jsonObject,
}

const roles: { readonly [K in BlockKind]?: string } = { system: 'system', user: 'user', llm_text: 'assistant' }
const unknownKind = fc.constantFrom('thinking_budget', 'constructor', '__proto__', 'Widget', 'video')
const unknownFields = fc.dictionary(fc.constantFrom('order', 'x-new', 'constructor', 'version'), json, { maxKeys: 2 })
const metadata = fc.oneof(jsonObject, fc.record({ 'geppetto.middleware@v1': someText, 'app.score@v2': number }))

/** A block of one kind in its normal form: what is stored of it decodes to the same value. */
function blockOf<K extends BlockKind>(kind: K): fc.Arbitrary<Extract<Block, { kind: K }>> {
  const role = roles[kind]
  return fc
    .record({
      id: fc.option(id, { nil: undefined }),
      payload: payloads[kind],
      metadata: fc.option(metadata, { nil: undefined, freq: 2 }),
      extra: fc.option(unknownFields, { nil: undefined, freq: 5 }),
      rawKind: kind === 'other' ? fc.option(unknownKind, { nil: undefined }) : fc.constant(undefined),
    })
    .map(({ payload, ...rest }) => {
      const block = { kind, ...(role !== undefined && { role }), payload, ...dropEmpty(rest) }
      return block as unknown as Extract<Block, { kind: K }> // `payloads` has the payload of this kind
    })
}

export const block: fc.Arbitrary<Block> = fc.oneof(
  blockOf('system'),
  blockOf('user'),
  blockOf('llm_text'),
  blockOf('reasoning'),
  blockOf('tool_call'),
  blockOf('tool_use'),
  blockOf('other'),
)

/** Any turn in its normal form. */
export const turn: fc.Arbitrary<Turn> = fc
  .record({
    id: fc.oneof(fc.constant(''), id),
    blocks: fc.array(block, { maxLength: 6 }),
    metadata: fc.oneof(jsonObject, fc.record({ 'geppetto.session_id@v1': id })),
    data: jsonObject,
    extra: fc.option(unknownFields, { nil: undefined, freq: 4 }),
  })
  .map(({ extra, ...rest }) => ({ ...rest, ...(extra !== undefined && Object.keys(extra).length > 0 && { extra }) }))

/** A turn and one that an edit made of it: some blocks kept, some dropped, some new, bags changed or not. */
export const editedTurn: fc.Arbitrary<readonly [Turn, Turn]> = fc
  .tuple(
    turn,
    fc.array(fc.tuple(fc.boolean(), fc.array(block, { maxLength: 2 }))),
    fc.option(jsonObject),
    fc.option(jsonObject),
  )
  .map(([base, steps, metadata, data]) => {
    const kept = base.blocks.flatMap((own, index) => {
      const [keep = true, added = []] = steps[index] ?? []
      return keep ? [...added, own] : added
    })
    return [base, { ...base, blocks: kept, metadata: metadata ?? base.metadata, data: data ?? base.data }]
  })

function dropEmpty<T extends object>(fields: T): Partial<T> {
  const filled = Object.entries(fields).filter(
    ([, value]) => value !== undefined && Object.keys(value as object).length > 0,
  )
  return Object.fromEntries(filled) as Partial<T> // entries of `fields` itself
}

const count = fc.nat()
const usage: fc.Arbitrary<Usage> = fc.record(
  { input_tokens: count, output_tokens: count, cached_tokens: count, reasoning_tokens: count },
  { requiredKeys: ['input_tokens', 'output_tokens'] },
)
const inferenceResult: fc.Arbitrary<InferenceResult> = fc.record(
  {
    finish_class: fc.constantFrom(...finishClasses),
    provider: someText,
    model: someText,
    stop_reason: someText,
    truncated: fc.boolean(),
    usage,
    duration_ms: count,
    cost: fc.double({ noNaN: true, min: 0, max: 100 }),
  },
  { requiredKeys: ['finish_class'] },
)

const turnDelta: fc.Arbitrary<TurnDelta> = fc.record(
  { head: count, add: fc.array(block, { maxLength: 3 }), tail: count, metadata: jsonObject, data: jsonObject },
  { requiredKeys: ['head', 'add', 'tail'] },
)

const envelope = { ordinal: fc.nat(), at: fc.constantFrom('2026-01-02T03:04:05.678Z', '') }
const inferenceIds = { ...envelope, sessionId: id, inferenceId: id, turnId: id }
const callIds = { ...inferenceIds, providerCallId: id, attempt: fc.integer({ min: 1, max: 9 }) }
const segmentIds = { ...callIds, segmentId: id }
const scopes = {
  turn: fc.record({ ...inferenceIds }, { requiredKeys: ['ordinal', 'at', 'sessionId', 'turnId'] }),
  inference: fc.record(inferenceIds),
  call: fc.record(callIds),
  segment: fc.record(segmentIds),
  tool: fc.oneof(fc.record({ ...inferenceIds, toolCallId: id }), fc.record({ ...callIds, toolCallId: id })),
}

type Ids =
  | 'type'
  | 'ordinal'
  | 'at'
  | 'sessionId'
  | 'inferenceId'
  | 'turnId'
  | 'providerCallId'
  | 'attempt'
  | 'segmentId'
  | 'toolCallId'
type FieldsOf<T extends InferenceEventType> = Omit<EventOf<T>, Ids>
type Fields = { readonly [T in InferenceEventType]: readonly [keyof typeof scopes, fc.Arbitrary<FieldsOf<T>>] }

const none = fc.constant({})
const errorInfo = fc.record({ code: someText, message: text })
const item = optional({ itemId: someText })
const itemDelta = fc.record({ itemId: someText, delta: text }, { requiredKeys: ['delta'] })
const segmentDelta = fc.record({ offset: fc.nat(), delta: text })
const finished = { partial: fc.constant(true as const) }
const toolName = someText
const toolStatus = fc.constantFrom('success' as const, 'error' as const, 'unknown' as const)
const userBlock: fc.Arbitrary<UserBlock> = text.map((said) => userText(said))

const eventFields: Fields = {
  'turn-opened': [
    'turn',
    fc.record(
      {
        base: id,
        delta: turnDelta,
        origin: fc.record({ sessionId: id, turnId: id, before: id }, { requiredKeys: ['sessionId', 'turnId'] }),
      },
      { requiredKeys: ['delta'] },
    ),
  ],
  'session-renamed': ['turn', fc.record({ title: text })],
  'prompt-accepted': ['inference', fc.record({ block: userBlock, key: someText }, { requiredKeys: ['block'] })],
  'inference-started': ['inference', none],
  'inference-resumed': ['inference', fc.record({ restarts: fc.nat() })],
  'inference-handed-over': ['inference', none],
  'cancel-requested': ['inference', fc.record({ reason: text })],
  'inference-finished': ['inference', fc.record({ result: inferenceResult })],
  'inference-stopped': ['inference', fc.record({ reason: text, result: inferenceResult })],
  'inference-failed': ['inference', fc.record({ error: errorInfo, result: inferenceResult })],
  'inference-interrupted': ['inference', fc.record({ reason: text, result: inferenceResult })],
  'phase-reached': [
    'inference',
    fc.record({
      phase: fc.constantFrom('pre_inference' as const, 'post_inference' as const, 'post_tools' as const),
      iteration: fc.nat(),
    }),
  ],
  'persist-failed': ['inference', fc.record({ error: errorInfo })],
  log: [
    'inference',
    fc.record(
      {
        level: fc.constantFrom('debug' as const, 'info' as const, 'warn' as const, 'error' as const),
        message: text,
        fields: jsonObject,
      },
      { requiredKeys: ['level', 'message'] },
    ),
  ],
  info: ['inference', fc.record({ message: text, data: jsonObject }, { requiredKeys: ['message'] })],
  'debugger.pause': [
    'inference',
    fc.record(
      { pauseId: id, phase: someText, summary: text, deadlineMs: fc.nat(), extra: jsonObject },
      { requiredKeys: ['pauseId', 'phase', 'summary', 'deadlineMs'] },
    ),
  ],
  'agent-mode-switch': ['inference', fc.record({ message: text, data: jsonObject })],
  custom: ['inference', fc.record({ name: someText, data: json })],
  'turn-edited': ['inference', fc.record({ by: someText, delta: turnDelta })],
  'provider-call-started': ['call', fc.record({ provider: someText, model: text })],
  'request-projected': [
    'call',
    fc.record({ repairs: fc.array(fc.record({ repair: someText, block: fc.nat(), detail: text }), { maxLength: 3 }) }),
  ],
  'provider-call-metadata-updated': [
    'call',
    optional({ responseId: someText, model: someText, stopReason: someText, usage }),
  ],
  'provider-call-finished': [
    'call',
    fc.record({ finishClass: fc.constantFrom(...finishClasses), result: inferenceResult, blocks: fc.nat() }),
  ],
  'attempt-discarded': ['call', fc.record({ error: errorInfo, blocks: fc.nat(), retryInMs: fc.nat() })],
  'block-received': ['call', fc.record({ block: blockOf('other') })],
  citation: [
    'call',
    optional({
      url: text,
      title: text,
      citedText: text,
      startIndex: fc.nat(),
      endIndex: fc.nat(),
      outputIndex: fc.nat(),
      contentIndex: fc.nat(),
      annotationIndex: fc.nat(),
    }),
  ],
  'web-search-started': ['call', optional({ itemId: someText, query: text })],
  'web-search-searching': ['call', item],
  'web-search-open-page': ['call', optional({ itemId: someText, url: text })],
  'web-search-done': ['call', item],
  'file-search-started': ['call', item],
  'file-search-searching': ['call', item],
  'file-search-done': ['call', item],
  'code-interpreter-started': ['call', item],
  'code-interpreter-interpreting': ['call', item],
  'code-interpreter-done': ['call', item],
  'code-interpreter-code-delta': ['call', itemDelta],
  'code-interpreter-code-done': ['call', fc.record({ itemId: someText, code: text }, { requiredKeys: ['code'] })],
  'mcp-args-delta': ['call', itemDelta],
  'mcp-args-done': ['call', fc.record({ itemId: someText, arguments: text }, { requiredKeys: ['arguments'] })],
  'mcp-in-progress': ['call', item],
  'mcp-completed': ['call', item],
  'mcp-failed': ['call', item],
  'mcp-list-tools-in-progress': ['call', item],
  'mcp-list-tools-completed': ['call', item],
  'mcp-list-tools-failed': ['call', item],
  'image-generation-in-progress': ['call', item],
  'image-generation-generating': ['call', item],
  'image-generation-completed': ['call', item],
  'image-generation-partial-image': ['call', optional({ itemId: someText, partialImageBase64: base64 })],
  'tool-search-results': [
    'call',
    fc.record(
      { tool: someText, itemId: someText, results: fc.array(json, { maxLength: 3 }) },
      { requiredKeys: ['tool', 'results'] },
    ),
  ],
  'text-segment-started': ['segment', none],
  'text-delta': ['segment', segmentDelta],
  'text-segment-finished': [
    'segment',
    fc.record({ block: blockOf('llm_text'), ...finished }, { requiredKeys: ['block'] }),
  ],
  'reasoning-segment-started': [
    'segment',
    optional({ source: fc.constantFrom('provider' as const, 'thinking' as const, 'summary' as const) }),
  ],
  'reasoning-delta': ['segment', segmentDelta],
  'reasoning-segment-finished': [
    'segment',
    fc.record({ block: blockOf('reasoning'), ...finished }, { requiredKeys: ['block'] }),
  ],
  'tool-call-started': ['tool', fc.record({ toolName })],
  'tool-call-arguments-delta': ['tool', segmentDelta],
  'tool-call-requested': ['tool', fc.record({ block: blockOf('tool_call') })],
  'tool-execution-started': [
    'tool',
    fc.record(
      { toolName, input: json, effect: fc.constantFrom('read' as const, 'idempotent' as const) },
      { requiredKeys: ['toolName', 'input'] },
    ),
  ],
  'approval-requested': [
    'tool',
    fc.record(
      {
        approvalId: id,
        toolName,
        input: json,
        reason: fc.constantFrom('policy' as const, 'outcome-unknown' as const),
        hash: someText,
        expiresAt: someText,
      },
      { requiredKeys: ['approvalId', 'toolName', 'input', 'reason', 'hash'] },
    ),
  ],
  'approval-decided': [
    'tool',
    fc.record(
      { approvalId: id, decision: fc.constantFrom(...decisions), input: json, message: text, by: someText },
      { requiredKeys: ['approvalId', 'decision'] },
    ),
  ],
  'tool-progress': ['tool', fc.record({ toolName, progress: json })],
  'tool-result-ready': ['tool', fc.record({ toolName, status: toolStatus, block: blockOf('tool_use') })],
  'tool-call-finished': ['tool', fc.record({ toolName, status: toolStatus })],
}

/** Every type of the catalogue, so that a test can be run once for each. */
export const eventTypes = Object.keys(eventFields) as readonly InferenceEventType[] // the keys of a table over the types

/** An event of one type, with the ids that it must carry. */
export function eventOf<T extends InferenceEventType>(type: T): fc.Arbitrary<EventOf<T>> {
  const [scope, fields] = eventFields[type]
  const ids: fc.Arbitrary<object> = scopes[scope]
  return fc.tuple(ids, fields as fc.Arbitrary<object>).map(([scoped, own]) => {
    return { type, ...scoped, ...own } as unknown as EventOf<T> // the table is typed by the type
  })
}

export const event: fc.Arbitrary<InferenceEvent> = fc.constantFrom(...eventTypes).chain((type) => eventOf(type))

/** An event of a version that does not exist yet. */
export const unknownEvent: fc.Arbitrary<UnknownEvent> = fc
  .record(
    {
      ...segmentIds,
      toolCallId: id,
      rawType: fc.constantFrom('hologram-started', 'constructor', '__proto__', 'unknown'),
      fields: jsonObject,
    },
    { requiredKeys: ['ordinal', 'at', 'rawType', 'fields'] },
  )
  .map((fields) => ({ type: 'unknown' as const, ...fields }))
