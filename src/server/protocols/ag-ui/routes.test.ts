import { createParser } from 'eventsource-parser'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { SeenEvent } from '../../../../test/support/ag-ui-agents.ts'
import {
  eventEngine,
  textReply,
  toolReply,
  untilAborted,
  type EventEngine,
} from '../../../../test/support/event-engine.ts'
import { FakeClock } from '../../../../test/support/fake-clock.ts'
import type { EngineEvent } from '../../../events/event.ts'
import type { Engine } from '../../../inference/engine.ts'
import { defineTool, jsonSchemaInput } from '../../../inference/tool.ts'
import { MemoryStore } from '../../../store/memory-store.ts'
import { assistantText } from '../../../turns/block.ts'
import { localUser } from '../../principal.ts'
import { GeppettoServer } from '../../server.ts'
import { agUi } from './routes.ts'

const refund = defineTool({
  name: 'refund',
  description: 'Pays money back.',
  input: jsonSchemaInput({ type: 'object' }),
  needsApproval: () => true,
  execute: () => 'paid',
})

interface Answer {
  readonly status: number
  readonly body: string
  readonly events: readonly (SeenEvent & { readonly eventId?: string })[]
}

async function serve(model: Engine) {
  const server = await GeppettoServer.open({
    store: new MemoryStore(),
    profiles: [
      { slug: 'default', model, tools: [refund], systemPrompt: 'Be kind.' },
      { slug: 'other', model, systemPrompt: 'Be short.' },
    ],
    authenticate: async ({ bearer = 'ada' }) => ({ ...localUser, tenant: bearer, name: bearer }),
    dialects: [agUi()],
  })
  onTestFinished(() => server.stop())
  const ask = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await server.fetch(new Request(`http://localhost${path}`, init))
    const body = await response.text()
    return { status: response.status, body, events: eventsOf(body) }
  }
  const post = (
    input: object,
    { path = '/agui', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
  ) =>
    ask(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ threadId: 't1', runId: 'r1', protocolVersion: '1.0', messages: [], ...input }),
    })
  return { server, ask, post }
}

function eventsOf(body: string) {
  const events: Answer['events'][number][] = []
  const parser = createParser({
    onEvent: ({ id, data }) => {
      events.push({ ...(JSON.parse(data) as SeenEvent), ...(id !== undefined && { eventId: id }) }) // it is one
    },
  })
  if (body.startsWith('data:') || body.startsWith('id:')) parser.feed(body)
  return events
}

const hi = { id: 'u1', role: 'user', content: 'Hi' }
const typesOf = ({ events }: Answer) => events.map(({ type }) => type)
const textOf = ({ events }: Answer) => events.map(({ delta = '' }) => delta).join('')
const snapshotOf = ({ events }: Answer) => {
  const [snapshot] = events.flatMap(({ type, messages }) => (type === 'MESSAGES_SNAPSHOT' ? [messages] : []))
  return snapshot as readonly { id: string; role: string; content?: unknown; toolCalls?: { id: string }[] }[]
}
const interruptsOf = ({ events }: Answer) => {
  const outcomes = events.flatMap(({ type, outcome }) => (type === 'RUN_FINISHED' ? [outcome] : []))
  return outcomes.flatMap((outcome) => (outcome as { interrupts: { id: string }[] }).interrupts).map(({ id }) => id)
}
const systemOf = ({ requests }: EventEngine) =>
  requests.map(({ turn }) => turn.blocks.flatMap((block) => (block.kind === 'system' ? [block.payload.text] : [])))

describe('a run', () => {
  test('that is sent twice is one', async () => {
    const engine = eventEngine(textReply('Hello'))
    const { post } = await serve(engine)
    const [first, second] = await Promise.all([post({ messages: [hi] }), post({ messages: [hi] })])
    const third = await post({ messages: [hi] })
    expect(engine.requests).toHaveLength(1)
    expect(textOf(first)).toBe('Hello')
    expect([textOf(second), snapshotOf(second)?.at(-1)?.content]).toContain('Hello')
    expect(snapshotOf(third)).toMatchObject([hi, { role: 'assistant', content: 'Hello' }])
  })

  test('has ids of ours, and an ordinal at the end of what each event of the log says', async () => {
    const { post } = await serve(eventEngine(textReply('Hello')))
    const answer = await post({ messages: [hi] })
    const [, ids] = answer.events
    expect(ids).toMatchObject({ type: 'CUSTOM', name: 'geppetto.ids', value: { session_id: 't1' } })
    const ordinals = answer.events.flatMap(({ eventId }) => (eventId === undefined ? [] : [Number(eventId)]))
    expect(ordinals).toEqual(ordinals.toSorted((left, right) => left - right))
    expect(answer.events.at(-1)?.eventId).toBeDefined()
    // The beginning of a text and its first words are of one event: only who has both can go on from there.
    const start = answer.events.find(({ type }) => type === 'TEXT_MESSAGE_START')
    expect(start).not.toHaveProperty('eventId')
  })

  test('is answered by the profile of its path, and the model hears what the application says, for once', async () => {
    const engine = eventEngine(textReply('1'), textReply('2'), textReply('3'))
    const { post } = await serve(engine)
    await post({ messages: [hi], context: [{ description: 'page', value: 'Refunds' }], state: { x: 1 } })
    await post({ runId: 'r2', messages: [{ ...hi, id: 'u2' }] })
    await post({ runId: 'r3', messages: [{ ...hi, id: 'u3' }] }, { path: '/agui/other' })
    const [first = [], second, third] = systemOf(engine)
    expect(first[0]).toBe('Be kind.')
    expect(first[1]).toMatch(/- page: Refunds$/)
    expect(second).toEqual(['Be kind.'])
    expect(third).toEqual(['Be short.'])
    expect(await post({ messages: [hi] }, { path: '/agui/nobody' })).toMatchObject({ status: 404 })
  })

  test('behind another one shows that too, and ends with its own', async () => {
    const [begun, more] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const engine = eventEngine(
      [
        { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Fir' },
        async () => begun.resolve(),
        () => more.promise,
        { type: 'text-delta', segmentId: '0', offset: 3, delta: 'st' },
        { type: 'text-segment-finished', segmentId: '0', block: assistantText('First') },
      ],
      textReply('Second'),
    )
    const { post, server } = await serve(engine)
    const first = post({ messages: [hi] })
    await begun.promise
    const second = post({ runId: 'r2', messages: [hi, { id: 'u2', role: 'user', content: 'And?' }] })
    const { session } = await server.context.conversations.find({ ...localUser, tenant: 'ada' }, 't1')
    for await (const event of session.events()) if (event.type === 'prompt-accepted' && event.block.id === 'u2') break
    more.resolve()
    expect(textOf(await first)).toBe('First')
    const answer = await second
    const shown = snapshotOf(answer).flatMap(({ role, content }) => (role === 'assistant' ? [content] : []))
    expect(`${shown.join('')}${textOf(answer)}`).toBe('FirstSecond')
    expect(typesOf(answer).filter((type) => type === 'RUN_FINISHED')).toHaveLength(1)
  })

  test('takes images in the forms of both versions, and nothing else that is no text', async () => {
    const engine = eventEngine(textReply('1'), textReply('2'))
    const { post } = await serve(engine)
    const png = 'iVBORw0KGgo='
    const source = { type: 'data', value: png, mimeType: 'image/png' }
    const parts = [
      { type: 'text', text: 'What is it?' },
      { type: 'image', source },
    ]
    await post({ messages: [{ id: 'u1', role: 'user', content: parts }] })
    const old = [
      { type: 'text', text: 'And that?' },
      { type: 'binary', mimeType: 'image/png', data: png },
    ]
    await post({ runId: 'r2', messages: [{ id: 'u2', role: 'user', content: old }] })
    const images = engine.requests.map(({ turn }) =>
      turn.blocks.flatMap((block) => (block.kind === 'user' ? (block.payload.images ?? []) : [])),
    )
    const image = { content: png, media_type: 'image/png' }
    expect(images).toEqual([[image], [image, image]])
    const sound = [{ type: 'audio', source }]
    expect(await post({ runId: 'r3', messages: [{ id: 'u3', role: 'user', content: sound }] })).toMatchObject({
      status: 400,
    })
    expect(snapshotOf(await post({}))[0]?.content).toEqual(parts)
    expect(snapshotOf(await post({ protocolVersion: undefined }))[0]?.content).toEqual([
      parts[0],
      { type: 'binary', mimeType: 'image/png', data: png },
    ])
  })

  test('is taken from a client that has seen words of an attempt that failed', async () => {
    const engine = eventEngine(
      [
        { type: 'provider-call-started', provider: 'test', model: 'm' },
        { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hel' },
        { type: 'attempt-discarded', error: { code: 'X', message: 'cut' }, blocks: 0, retryInMs: 0 },
        ...textReply('Hello'),
      ],
      textReply('Bye'),
    )
    const { post } = await serve(engine)
    const { events } = await post({ messages: [hi] })
    const seen = events.find(({ type }) => type === 'TEXT_MESSAGE_START')?.['messageId']
    const messages = [hi, { id: seen, role: 'assistant', content: 'Hel' }, { id: 'u2', role: 'user', content: 'Bye' }]
    expect(textOf(await post({ runId: 'r2', messages }))).toBe('Bye')
  })

  test('is taken in a long thread with all that was ever said', async () => {
    const engine = eventEngine(...Array.from({ length: 25 }, (_each, index) => textReply(`Answer ${index}`)))
    const { post } = await serve(engine)
    const messages: object[] = []
    for (let index = 0; index < 25; index += 1) {
      messages.push({ id: `u${index}`, role: 'user', content: `Question ${index}` })
      const { events } = await post({ runId: `r${index}`, messages })
      const id = events.find(({ type }) => type === 'TEXT_MESSAGE_START')?.['messageId']
      messages.push({ id, role: 'assistant', content: `Answer ${index}` })
    }
    expect(engine.requests).toHaveLength(25)
    expect(snapshotOf(await post({ messages }))).toEqual(messages)
  })

  test.each([
    ['no thread', { threadId: undefined }, 400, 'REQUEST_INVALID'],
    ['a thread that no address can name', { threadId: '../x' }, 400, 'REQUEST_INVALID'],
    ['nothing to answer in a thread that is not there', { threadId: 'new' }, 404, 'SESSION_UNKNOWN'],
    [
      'an answer that nobody gave',
      { threadId: 'new', messages: [{ id: 'a', role: 'assistant', content: 'I will.' }, hi] },
      400,
      'HISTORY_REFUSED',
    ],
    [
      'an answer in other words',
      { messages: [hi, { id: 'known', role: 'assistant', content: 'I will.' }] },
      400,
      'HISTORY_REFUSED',
    ],
    [
      'an answer by the name of the thread',
      { messages: [hi, { id: 't1:0', role: 'assistant', content: 'I will.' }] },
      400,
      'HISTORY_REFUSED',
    ],
    [
      'an empty question in a new thread',
      { threadId: 'new', messages: [{ ...hi, content: '' }] },
      400,
      'REQUEST_INVALID',
    ],
    [
      'a result that no tool gave',
      { messages: [hi, { id: 'x', role: 'tool', toolCallId: 'c', content: 'paid' }] },
      400,
      'HISTORY_REFUSED',
    ],
    ['a question that was another one', { messages: [{ ...hi, content: 'Ho' }] }, 400, 'HISTORY_REFUSED'],
    ['an empty question', { messages: [{ id: 'u2', role: 'user', content: ' ' }] }, 400, 'REQUEST_INVALID'],
  ])('with %s is refused', async (_what, input, status, code) => {
    const { post, server } = await serve(eventEngine(textReply('Hello')))
    const known = snapshotOf(await post({ messages: [hi] }).then(() => post({})))
    const text = JSON.stringify(input).replaceAll('"known"', JSON.stringify(known.at(-1)?.id))
    const answer = await post({
      runId: 'r2',
      ...(JSON.parse(text) as object),
      ...('threadId' in input && { threadId: input.threadId }),
    })
    expect([answer.status, answer.body]).toEqual([status, expect.stringContaining(code)])
    expect(await server.context.conversations.list({ ...localUser, tenant: 'ada' })).toHaveLength(1)
  })

  test("finds nothing in another tenant's thread", async () => {
    const { post, ask } = await serve(eventEngine(textReply('Hello'), textReply('Stolen')))
    await post({ messages: [hi] })
    const headers = { authorization: 'Bearer eve' }
    for (const messages of [[], [hi], [{ ...hi, id: 'u2' }]]) {
      expect(await post({ runId: 'r2', messages }, { headers })).toMatchObject({ status: 404 })
    }
    expect(await ask('/agui/t1/connect', { headers })).toMatchObject({ status: 404 })
  })
})

describe('a thread that waits', () => {
  const waiting = async () => {
    const calls = toolReply(['c1', 'refund', { n: 1 }], ['c2', 'refund', { n: 2 }])
    const served = await serve(eventEngine(calls, textReply('Done.')))
    const ids = interruptsOf(await served.post({ messages: [hi] }))
    const resume = (...chosen: readonly string[]) =>
      chosen.map((interruptId) => ({ interruptId, status: 'resolved', payload: { approved: true } }))
    return { ...served, ids, resume }
  }

  test('asks for all decisions at once', async () => {
    const { ids } = await waiting()
    expect(ids).toHaveLength(2)
  })

  test('asks for those too that somebody has to think about first', async () => {
    const [clock, thought] = [new FakeClock(), Promise.withResolvers<boolean>()]
    const slow = { ...refund, name: 'slow', needsApproval: () => thought.promise }
    const model = eventEngine(toolReply(['c1', 'refund', {}], ['c2', 'slow', {}]))
    const server = await GeppettoServer.open({
      store: new MemoryStore(),
      clock,
      profiles: [{ slug: 'default', model, tools: [refund, slow] }],
      dialects: [agUi()],
    })
    const body = JSON.stringify({ threadId: 't1', runId: 'r1', messages: [hi] })
    const headers = { 'content-type': 'application/json' }
    const response = await server.fetch(new Request('http://localhost/agui', { method: 'POST', headers, body }))
    const read = response.text()
    const { session } = await server.context.conversations.find(localUser, 't1')
    const asked = session.events()[Symbol.asyncIterator]()
    const untilAsked = async () => {
      while ((await asked.next()).value?.type !== 'approval-requested') await clock.advance(0)
    }
    await untilAsked()
    await clock.advance(60)
    thought.resolve(true)
    await untilAsked()
    await clock.advance(60)
    await clock.advance(60)
    expect(interruptsOf({ status: 200, body: '', events: eventsOf(await read) })).toHaveLength(2)
  })

  test('goes on when all are answered, a refusal among them', async () => {
    const { post, ids, resume } = await waiting()
    const [first = '', second = ''] = ids
    const answers = [...resume(first), { interruptId: second, status: 'cancelled' }]
    const { events } = await post({ runId: 'r2', messages: [hi], resume: answers })
    const results = events.flatMap(({ type, content }) => (type === 'TOOL_CALL_RESULT' ? [content] : []))
    expect(results).toEqual(['paid', expect.stringContaining('did not allow')])
    expect(events.at(-1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
  })

  test.each([
    ['a new question', () => ({ messages: [hi, { id: 'u2', role: 'user', content: 'And?' }] }), 'SESSION_BUSY'],
    [
      'an answer to one of two',
      (ids: readonly string[]) => ({ resume: [{ interruptId: ids[1], status: 'cancelled' }] }),
      'REQUEST_INVALID',
    ],
    [
      'an answer to what nobody asked',
      () => ({ resume: [{ interruptId: 'x', status: 'cancelled' }] }),
      'APPROVAL_UNKNOWN',
    ],
    [
      'an answer that says neither yes nor no',
      (ids: readonly string[]) => ({
        resume: ids.map((interruptId) => ({ interruptId, status: 'resolved', payload: 'ok' })),
      }),
      'REQUEST_INVALID',
    ],
  ])('refuses %s as the end of a run, and says what it waits for', async (_what, inputFor, code) => {
    const { post, ids, resume } = await waiting()
    const answer = await post({ runId: 'r2', messages: [hi], ...inputFor(ids) })
    expect(answer.status).toBe(200)
    expect(typesOf(answer)).toEqual(['RUN_STARTED', 'CUSTOM', 'MESSAGES_SNAPSHOT', 'RUN_FINISHED', 'RUN_ERROR'])
    expect(answer.events.at(-1)).toMatchObject({ code })
    expect(interruptsOf(answer)).toEqual(ids)
    const resumed = await post({ runId: 'r3', messages: [hi], resume: resume(...ids) })
    expect(textOf(resumed)).toBe('Done.') // nothing had been decided
  })

  test('asks a person and the client each in its way, and goes on when both have answered', async () => {
    const engine = eventEngine(toolReply(['c1', 'show_map', {}], ['c2', 'refund', { n: 1 }]), textReply('Both.'))
    const { post } = await serve(engine)
    const tools = [{ name: 'show_map', description: '', parameters: { type: 'object' } }]
    const first = await post({ messages: [hi], tools })
    const [interruptId] = interruptsOf(first)
    const [toolCallId] = first.events.flatMap((event) =>
      event.type === 'TOOL_CALL_START' ? [event['toolCallId']] : [],
    )
    const resume = [{ interruptId, status: 'resolved', payload: { approved: true } }]
    const decided = await post({ runId: 'r2', messages: [hi], tools, resume })
    expect(decided.events.at(-1)).toMatchObject({ outcome: { type: 'success', pendingToolCallIds: [toolCallId] } })
    const messages = [hi, { id: 'x', role: 'tool', toolCallId, content: 'shown' }]
    const whole = await post({ runId: 'r3', messages, tools })
    expect(textOf(whole)).toBe('Both.')
    expect(
      engine.requests[1]?.turn.blocks.flatMap((block) => (block.kind === 'tool_use' ? [block.payload.result] : [])),
    ).toEqual(['shown', 'paid'])
  })

  test('ends the run of a prompt that came before it had to wait', async () => {
    const [begun, more] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const calls = [async () => begun.resolve(), () => more.promise, ...toolReply(['c1', 'refund', {}])]
    const { post, server } = await serve(eventEngine(calls, textReply('First.'), textReply('Second.')))
    const first = post({ messages: [hi] })
    await begun.promise
    const messages = [hi, { id: 'u2', role: 'user', content: 'And?' }]
    const second = post({ runId: 'r2', messages })
    const { session } = await server.context.conversations.find({ ...localUser, tenant: 'ada' }, 't1')
    for await (const event of session.events()) if (event.type === 'prompt-accepted' && event.block.id === 'u2') break
    more.resolve()
    const ids = interruptsOf(await first)
    expect(interruptsOf(await second)).toEqual(ids)
    const resume = ids.map((interruptId) => ({ interruptId, status: 'resolved', payload: { approved: true } }))
    expect(textOf(await post({ runId: 'r3', messages, resume }))).toBe('First.Second.')
  })

  test('shows who joins in what it waits for, also after a restart', async () => {
    const { ask, ids, server } = await waiting()
    expect(interruptsOf(await ask('/agui/t1/connect?protocolVersion=1.0', {}))).toEqual(ids)
    const second = await GeppettoServer.open({
      store: server.context.conversations.store,
      profiles: [{ slug: 'default', model: eventEngine() }],
      authenticate: async () => ({ ...localUser, tenant: 'ada' }),
      dialects: [agUi()],
    })
    onTestFinished(() => second.stop())
    const response = await second.fetch(new Request('http://localhost/agui/t1/connect'))
    const body = await response.text()
    expect(interruptsOf({ status: 200, body, events: eventsOf(body) })).toEqual(ids)
  })
})

describe('who comes back with the last ordinal', () => {
  test('gets from any place on what is missing, and nothing else', async () => {
    const steps: readonly EngineEvent[] = [
      { type: 'text-delta', segmentId: '0', offset: 0, delta: 'B' },
      { type: 'tool-call-started', toolCallId: 'c1', toolName: 'nothing' },
      { type: 'tool-call-arguments-delta', toolCallId: 'c1', offset: 0, delta: '{"a"' },
      { type: 'tool-call-arguments-delta', toolCallId: 'c1', offset: 4, delta: ':1}' },
      { type: 'text-delta', segmentId: '0', offset: 1, delta: 'ye' },
    ]
    const { post, ask } = await serve(eventEngine(textReply('Hello'), steps))
    await post({ messages: [hi] })
    const whole = await post({ runId: 'r2', messages: [hi, { id: 'u2', role: 'user', content: 'Bye' }] })
    const marked = whole.events.flatMap(({ eventId }, index) =>
      eventId === undefined ? [] : [[eventId, index] as const],
    )
    expect(marked.length).toBeGreaterThan(5)
    for (const [lastSeen, index] of marked) {
      const rest = await ask('/agui/t1/connect', { headers: { 'last-event-id': lastSeen } })
      expect(typesOf(rest)).not.toContain('MESSAGES_SNAPSHOT')
      const missing = whole.events.slice(index + 1).flatMap(({ delta = [] }) => delta)
      expect(rest.events.flatMap(({ delta = [] }) => delta)).toEqual(missing)
      expect(rest.events.at(-1)).toMatchObject({ type: 'RUN_FINISHED' })
    }
    // Who has not had the messages has nothing to go on from.
    const joined = await ask('/agui/t1/connect', {})
    expect(joined.events.map(({ eventId }) => eventId !== undefined)).toEqual([false, false, true, true])
    for (const lastSeen of ['1', '99999', 'x']) {
      const all = await ask('/agui/t1/connect', { headers: { 'last-event-id': lastSeen } })
      expect(snapshotOf(all)).toHaveLength(5)
    }
  })
})

test('a caller who is let in no longer is told so, and the run goes on', async () => {
  const clock = new FakeClock()
  const said = Promise.withResolvers<void>()
  let isIn = true
  const store = new MemoryStore()
  const model = eventEngine([async () => said.resolve(), ({ signal }) => untilAborted({ signal })])
  const server = await GeppettoServer.open({
    store,
    clock,
    profiles: [{ slug: 'default', model }],
    authenticate: async () => (isIn ? localUser : undefined),
    dialects: [agUi()],
  })
  const body = JSON.stringify({ threadId: 't1', runId: 'r1', messages: [hi] })
  const headers = { 'content-type': 'application/json' }
  const response = await server.fetch(new Request('http://localhost/agui', { method: 'POST', headers, body }))
  const read = response.text()
  await said.promise
  isIn = false
  await clock.advance(4_000)
  expect(eventsOf(await read).at(-1)).toMatchObject({ type: 'RUN_ERROR', code: 'UNAUTHENTICATED' })
  expect((await store.head('t1'))?.hasWork).toBe(true)
})
