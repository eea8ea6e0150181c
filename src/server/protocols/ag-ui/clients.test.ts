import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { agentVersions, runAgent, typesOf, type SeenEvent } from '../../../../test/support/ag-ui-agents.ts'
import {
  eventEngine,
  forEver,
  providerCallFinished,
  textReply,
  toolReply,
  untilAborted,
} from '../../../../test/support/event-engine.ts'
import { mortalStore } from '../../../../test/support/mortal-store.ts'
import { GeppettoError } from '../../../errors.ts'
import type { EngineEvent } from '../../../events/event.ts'
import type { Engine } from '../../../inference/engine.ts'
import { defineTool, jsonSchemaInput } from '../../../inference/tool.ts'
import type { JsonObject } from '../../../json.ts'
import { scripted } from '../../../providers/scripted/engine.ts'
import { MemoryStore } from '../../../store/memory-store.ts'
import type { Store } from '../../../store/store.ts'
import { assistantText, reasoning } from '../../../turns/block.ts'
import { listen } from '../../node.ts'
import type { Profile } from '../../profile.ts'
import { GeppettoServer } from '../../server.ts'
import { agUi } from './routes.ts'

const paid: JsonObject[] = []
const refund = defineTool({
  name: 'refund',
  description: 'Pays money back.',
  input: jsonSchemaInput({ type: 'object', properties: { cents: { type: 'integer' } }, required: ['cents'] }),
  needsApproval: () => true,
  execute: ({ cents }) => {
    paid.push({ cents: cents ?? null })
    return { refunded: cents ?? null }
  },
})
const add = defineTool({
  name: 'add',
  description: 'Adds.',
  input: jsonSchemaInput({ type: 'object' }),
  execute: ({ a, b }) => Number(a) + Number(b),
})

async function serve(model: Engine, options: Partial<Profile> & { readonly store?: Store } = {}) {
  const { store = new MemoryStore(), ...profile } = options
  const server = await GeppettoServer.open({
    store,
    profiles: [{ slug: 'default', model, tools: [refund, add], ...profile }],
    dialects: [agUi()],
  })
  const { url, close } = await listen(server, { port: 0 })
  let isClosed = false
  const stop = async () => {
    if (!isClosed) await close()
    isClosed = true
  }
  onTestFinished(stop)
  return { url: `${url}/agui`, origin: url, store, server, stop }
}

/** Resolves when `open` was called: what an engine waits for in the middle of an answer. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { wait: () => promise, open: () => resolve() }
}

const user = (content: string, id: string) => ({ id, role: 'user', content })
const last = (events: readonly SeenEvent[]) => events.at(-1)
const textOf = (messages: readonly { readonly role: string; readonly content?: unknown }[]) =>
  messages.flatMap(({ role, content }) => (role === 'assistant' && content !== undefined ? [content] : []))

describe.each(agentVersions)('the official client %s', (version, agentAt) => {
  const isCurrent = version === '1.0.0'
  const canResume = version !== '0.0.45'
  // A client that cannot use something drops it and warns: nothing that it gets is of that kind.
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  beforeEach(() => {
    warn.mockClear()
    paid.length = 0
  })
  afterEach(() => {
    const [said] = warn.mock.calls
    if (said !== undefined) throw new Error(`the client warned: ${said.join(' ')}`)
  })

  test('talks, goes on talking, and has each message once', async () => {
    const { url } = await serve(scripted({ pace: 0 }))
    const agent = agentAt(url, `talk-${version}`)
    agent.addMessage(user('Say hello there', 'u1'))
    const { events } = await runAgent(agent, { runId: 'r1' })
    expect(events[0]).toMatchObject({ type: 'RUN_STARTED', threadId: `talk-${version}`, runId: 'r1' })
    expect(last(events)).toMatchObject({
      type: 'RUN_FINISHED',
      outcome: { type: 'success' },
      usage: [{ inputTokens: expect.any(Number), outputTokens: expect.any(Number) }],
    })
    expect(textOf(agent.messages)).toEqual(['hello there'])
    agent.addMessage(user('Say bye', 'u2'))
    await runAgent(agent)
    expect(agent.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant'])
    expect(textOf(agent.messages)).toEqual(['hello there', 'bye'])
  })

  test('gets reasoning, text and tools of several steps', async () => {
    const steps: readonly EngineEvent[] = [
      { type: 'provider-call-started', provider: 'test', model: 'm' },
      { type: 'reasoning-delta', segmentId: '0', offset: 0, delta: 'Let me ' },
      { type: 'reasoning-delta', segmentId: '0', offset: 7, delta: '' },
      { type: 'reasoning-delta', segmentId: '0', offset: 7, delta: 'add.' },
      {
        type: 'reasoning-segment-finished',
        segmentId: '0',
        block: reasoning({ text: 'Let me add.', signature: 'sig' }),
      },
      { type: 'text-delta', segmentId: '1', offset: 0, delta: 'One moment.' },
      { type: 'text-segment-finished', segmentId: '1', block: assistantText('One moment.') },
      ...toolReply(['c1', 'add', { a: 1, b: 2 }], ['c2', 'add', { a: 3, b: 4 }]).slice(1, -1),
      providerCallFinished(4, 'tool_calls_pending'),
    ]
    const { url } = await serve(eventEngine(steps, toolReply(['c1', 'add', { a: 5, b: 5 }]), textReply('Done.')))
    const agent = agentAt(url, `steps-${version}`)
    agent.addMessage(user('Add', 'u1'))
    const { events } = await runAgent(agent)
    expect(last(events)).toMatchObject({ type: 'RUN_FINISHED' })
    expect(events).toContainEqual(expect.objectContaining({ type: 'REASONING_ENCRYPTED_VALUE', encryptedValue: 'sig' }))
    const said = agent.messages.map(({ role, content, toolCalls }) => [
      role,
      content,
      ...(toolCalls ?? []).map((call) => call.function),
    ])
    expect(said).toEqual([
      ['user', 'Add'],
      ['reasoning', 'Let me add.'],
      [
        'assistant',
        'One moment.',
        { name: 'add', arguments: '{"a":1,"b":2}' },
        { name: 'add', arguments: '{"a":3,"b":4}' },
      ],
      ['tool', '3'],
      ['tool', '7'],
      // The provider has used the id c1 twice.
      ['assistant', undefined, { name: 'add', arguments: '{"a":5,"b":5}' }],
      ['tool', '10'],
      ['assistant', 'Done.'],
    ])
    const before = structuredClone(agent.messages)
    const joined = await runAgent(agent) // asks for nothing new: what the server has is the same
    expect(typesOf(joined.events)).toEqual(['RUN_STARTED', 'CUSTOM', 'MESSAGES_SNAPSHOT', 'RUN_FINISHED'])
    expect(agent.messages.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
    expect(agent.messages.map(({ content }) => content)).toEqual(before.map(({ content }) => content))
  })

  test('runs its own tools, and the answer goes on with their results', async () => {
    const { url } = await serve(
      eventEngine(toolReply(['m1', 'show_map', { city: 'Oslo' }], ['m2', 'show_map', {}]), textReply('There it is.')),
    )
    const agent = agentAt(url, `tools-${version}`)
    agent.addMessage(user('Show me Oslo', 'u1'))
    const tools = [{ name: 'show_map', description: 'Shows a map.', parameters: { type: 'object' } }]
    const { events } = await runAgent(agent, { tools })
    const calls = events.flatMap(({ type, toolCallId }) => (type === 'TOOL_CALL_START' ? [String(toolCallId)] : []))
    expect(last(events)).toMatchObject({
      type: 'RUN_FINISHED',
      outcome: { type: 'success', ...(isCurrent && { pendingToolCallIds: calls }) },
    })
    const [first = '', second = ''] = calls
    agent.addMessage({ id: 't1', role: 'tool', toolCallId: first, content: '{"shown":true}' })
    agent.addMessage({ id: 't2', role: 'tool', toolCallId: second, content: 'no', error: 'no screen' })
    const after = await runAgent(agent, { tools })
    expect(typesOf(after.events)).not.toContain('TOOL_CALL_START')
    expect(typesOf(after.events)).not.toContain('TOOL_CALL_RESULT')
    expect(last(after.events)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    expect(agent.messages.map(({ id, role }) => (role === 'tool' ? id : role))).toEqual([
      'user',
      'assistant',
      't1',
      't2',
      'assistant',
    ])
    expect(textOf(agent.messages)).toEqual(['There it is.'])
    agent.addMessage(user('Thanks', 'u2')) // what it has run itself is known afterwards
    const engineIsOut = await runAgent(agent, { tools })
    expect(last(engineIsOut.events)).toMatchObject({ type: 'RUN_ERROR' })
  })

  // A client without `resume` has no way to answer by itself: there is nothing to skip.
  const answers = [
    ['approved', { approved: true }, [{ cents: 9900 }], '{"refunded":9900}'],
    ['approved with other arguments', { approved: true, editedArgs: { cents: 5 } }, [{ cents: 5 }], '{"refunded":5}'],
    ['refused', { approved: false, reason: 'too much' }, [], 'the tool was not run: too much'],
  ] as const
  test.each(canResume ? answers : [])('is asked about a call; it is %s', async (_how, payload, expected, content) => {
    const { url } = await serve(eventEngine(toolReply(['c1', 'refund', { cents: 9900 }]), textReply('As you say.')))
    const agent = agentAt(url, `ask-${version}`)
    agent.addMessage(user('Refund', 'u1'))
    const { events } = await runAgent(agent)
    expect(typesOf(events).slice(-2)).toEqual(['MESSAGES_SNAPSHOT', 'RUN_FINISHED'])
    expect(last(events)).toMatchObject({ outcome: { type: 'interrupt', interrupts: [{ reason: 'tool_call' }] } })
    const [interrupt] = agent.pendingInterrupts ?? []
    const resume = [{ interruptId: interrupt?.id, status: 'resolved', payload }]
    const resumed = await runAgent(agent, { resume })
    expect(typesOf(resumed.events)).toEqual([
      'RUN_STARTED',
      'CUSTOM',
      'TOOL_CALL_RESULT',
      'TEXT_MESSAGE_START',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_END',
      'RUN_FINISHED',
    ])
    expect(resumed.events).toContainEqual(expect.objectContaining({ type: 'TOOL_CALL_RESULT', content }))
    expect(paid).toEqual(expected)
    // Sent once more, it decides nothing anew and shows what there is.
    const again = await runAgent(agent, { resume })
    expect(last(again.events)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    expect(paid).toEqual(expected)
    expect(agent.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant'])
  })

  test.each(canResume ? [] : [version])('%s joins in again when somebody has decided', async () => {
    const { url, origin } = await serve(eventEngine(toolReply(['c1', 'refund', { cents: 1 }]), textReply('Paid.')))
    const agent = agentAt(url, `old-${version}`)
    agent.addMessage(user('Refund', 'u1'))
    const { events } = await runAgent(agent)
    const { outcome } = last(events) as unknown as { outcome: { interrupts: { id: string }[] } }
    const approval = `${origin}/api/sessions/old-${version}/approvals/${outcome.interrupts[0]?.id}`
    const body = JSON.stringify({ decision: 'approved' })
    await fetch(approval, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    await runAgent(agent)
    expect(textOf(agent.messages)).toEqual(['Paid.'])
  })

  test('is told of a cancel and keeps what had come', async () => {
    const begun = gate()
    const engine: Engine = async function* (_turn, context) {
      yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Once upon' }
      begun.open()
      await untilAborted(context)
    }
    const { url, origin } = await serve(engine)
    const agent = agentAt(url, `cancel-${version}`)
    agent.addMessage(user('Tell', 'u1'))
    const running = runAgent(agent)
    await begun.wait()
    await fetch(`${origin}/api/sessions/cancel-${version}/cancel`, { method: 'POST' })
    const { events } = await running
    expect(typesOf(events).slice(-2)).toEqual(['TEXT_MESSAGE_END', isCurrent ? 'RUN_FINISHED' : 'RUN_ERROR'])
    expect(last(events)).toMatchObject(isCurrent ? { outcome: { type: 'cancelled' } } : { code: 'cancelled' })
    expect(textOf(agent.messages)).toEqual(['Once upon'])
  })

  test('is told when the provider fails, and of nothing twice when it is asked again', async () => {
    const broken = new GeppettoError('PROVIDER_OVERLOADED', 'Too much to do.')
    const engine = eventEngine(
      [
        { type: 'provider-call-started', provider: 'test', model: 'm' },
        { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hel' },
        { type: 'attempt-discarded', error: { code: 'X', message: 'cut' }, blocks: 0, retryInMs: 0 },
        ...textReply('Hello'),
      ],
      [{ type: 'text-delta', segmentId: '0', offset: 0, delta: 'Half' }, broken],
    )
    const { url } = await serve(engine)
    const agent = agentAt(url, `fail-${version}`)
    agent.addMessage(user('Hi', 'u1'))
    await runAgent(agent)
    expect(textOf(agent.messages)).toEqual(['Hello'])
    agent.addMessage(user('Again', 'u2'))
    const { events } = await runAgent(agent)
    expect(last(events)).toMatchObject({ type: 'RUN_ERROR', code: 'PROVIDER_OVERLOADED', message: 'Too much to do.' })
  })

  test('joins a run in the middle and has each word once', async () => {
    const [begun, more] = [gate(), gate()]
    const engine: Engine = async function* () {
      yield { type: 'reasoning-delta', segmentId: 'r', offset: 0, delta: 'Hm' }
      yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Hel' }
      yield { type: 'tool-call-started', toolCallId: 'c1', toolName: 'nothing' }
      yield { type: 'tool-call-arguments-delta', toolCallId: 'c1', offset: 0, delta: '{"a"' }
      yield { type: 'info', message: 'the middle' }
      begun.open()
      await more.wait()
      yield { type: 'tool-call-arguments-delta', toolCallId: 'c1', offset: 4, delta: ':1}' }
      yield { type: 'reasoning-delta', segmentId: 'r', offset: 2, delta: '!' }
      yield { type: 'text-delta', segmentId: '0', offset: 3, delta: 'lo' }
      yield { type: 'text-segment-finished', segmentId: '0', block: assistantText('Hello') }
    }
    const { url, server } = await serve(engine)
    const threadId = `join-${version}`
    const first = agentAt(url, threadId)
    first.addMessage(user('Hi', 'u1'))
    const gone = runAgent(first, {}, ({ type }) => {
      if (type === 'TOOL_CALL_ARGS') first.abortRun() // nobody cancels the run
    }).catch(() => {})
    await begun.wait()
    await gone
    await untilLogged(server, threadId, 'info')
    const second = agentAt(url, threadId) // knows nothing at all
    const joined = await runAgent(second, {}, ({ type }) => {
      if (type === 'MESSAGES_SNAPSHOT') more.open()
    })
    expect(textOf(second.messages)).toEqual(['Hello'])
    expect(second.messages.find(({ role }) => role === 'reasoning')?.content).toBe('Hm!')
    const calls = second.messages.flatMap(({ toolCalls = [] }) => toolCalls)
    expect(calls.map((call) => call.function.arguments)).toEqual(['{"a":1}'])
    expect(last(joined.events)).toMatchObject({ type: 'RUN_FINISHED' })
    await runAgent(first) // the one that went away has a part of it
    expect(textOf(first.messages)).toEqual(['Hello'])
  })

  test('joins in again when the process that ran it has died in the middle', async () => {
    const [begun, shared, life] = [gate(), new MemoryStore(), { isDead: false }]
    const engine: Engine = async function* () {
      yield { type: 'provider-call-started', provider: 'test', model: 'm' }
      if (life.isDead) return yield* textReply('Whole.').slice(1)
      yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Who' }
      yield { type: 'info', message: 'the middle' }
      begun.open()
      await forEver()
    }
    const store = mortalStore(shared, life)
    const profiles = [{ slug: 'default', model: engine }] as const
    // It cannot be stopped when it is dead, so it has no port.
    const dying = await GeppettoServer.open({ store, profiles, dialects: [agUi()] })
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => dying.fetch(new Request(url, init)))
    const agent = agentAt('http://localhost/agui', `die-${version}`)
    agent.addMessage(user('Hi', 'u1'))
    void runAgent(agent, {}, ({ type }) => {
      if (type === 'TEXT_MESSAGE_CONTENT') agent.abortRun() // its connection breaks
    }).catch(() => {})
    await begun.wait()
    await untilLogged(dying, `die-${version}`, 'info')
    life.isDead = true
    vi.unstubAllGlobals()
    const head = await shared.head(`die-${version}`)
    await shared.release(`die-${version}`, head?.epoch ?? 0) // nobody has it: its owner is dead
    const { url } = await serve(engine, { store: shared })
    const again = agentAt(url, `die-${version}`)
    again.addMessage(user('Hi', 'u1'))
    await runAgent(again)
    expect(textOf(again.messages)).toEqual(['Whole.'])
  })

  test('goes on with another server when the one that runs it is stopped', async () => {
    const begun = gate()
    const store = new MemoryStore()
    let isSecond = false
    const engine: Engine = async function* (_turn, context) {
      yield { type: 'provider-call-started', provider: 'test', model: 'm' }
      if (isSecond) return yield* textReply('Whole.').slice(1)
      yield { type: 'text-delta', segmentId: '0', offset: 0, delta: 'Who' }
      begun.open()
      await new Promise((resolve) => context.leaving.addEventListener('abort', resolve))
      context.leaving.throwIfAborted()
    }
    const before = await serve(engine, { store })
    const agent = agentAt(before.url, `move-${version}`)
    agent.addMessage(user('Hi', 'u1'))
    const running = runAgent(agent)
    await begun.wait()
    await before.stop()
    const { events } = await running
    expect(last(events)).toMatchObject({ type: 'RUN_ERROR', code: 'SERVER_STOPPING' })
    isSecond = true
    const { url } = await serve(engine, { store })
    const again = agentAt(url, `move-${version}`)
    for (const message of agent.messages) again.addMessage(message)
    const joined = await runAgent(again)
    expect(last(joined.events)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    expect(textOf(again.messages)).toEqual(['Whole.'])
  })
})

async function untilLogged(server: GeppettoServer, sessionId: string, type: string): Promise<void> {
  const found = await server.context.conversations.findConversationBySessionId(sessionId)
  for await (const event of found?.session.events() ?? []) if (event.type === type) return
}
