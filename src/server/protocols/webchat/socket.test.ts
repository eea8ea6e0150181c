import { afterEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventEngine, textReply, toolReply, type EngineStep } from '../../../../test/support/event-engine.ts'
import { WebchatClient, type Snapshot, WebchatView } from '../../../../test/support/webchat-client.ts'
import { scriptedProfile, startWebchat, type WebchatServer } from '../../../../test/support/webchat-server.ts'
import type { Engine } from '../../../inference/engine.ts'
import { calculator } from '../../../inference/builtin-tools.ts'
import { defineTool } from '../../../inference/tool.ts'
import { scripted } from '../../../providers/scripted/engine.ts'
import type { Principal } from '../../principal.ts'
import * as z from 'zod'

const open: WebchatServer[] = []
async function started(options: Parameters<typeof startWebchat>[0] = {}): Promise<WebchatServer> {
  const server = await startWebchat(options)
  open.push(server)
  return server
}
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

const typesOf = ({ frames }: WebchatClient) => frames.map(({ event }) => event.type)

async function reloaded(server: WebchatServer, convId: string): Promise<WebchatView> {
  const view = new WebchatView()
  view.hydrate((await (await server.get(`/api/timeline?conv_id=${convId}`)).json()) as Snapshot)
  return view
}

/** What lasts of what is shown. */
const shown = ({ byId }: WebchatView) =>
  [...byId.values()].map(({ id, kind, props: { exec: _exec, ...props } }) => ({ id, kind, props }))

/** The status and the sentence that a handshake is refused with. */
function refused(url: string, headers: Readonly<Record<string, string>> = {}): Promise<readonly [number, string]> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace('http', 'ws'), { headers })
    socket.on('open', () => reject(new Error('it was let in')))
    socket.on('error', () => {})
    socket.on('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      response.on('end', () => resolve([response.statusCode ?? 0, text]))
    })
  })
}

describe('a socket', () => {
  test('is greeted first, answers pings in every form, and hears nothing else', async () => {
    const server = await started()
    const client = await WebchatClient.attach(server.url, 'conv_id=c')
    for (const text of [
      'nonsense',
      '{"type":"other"}',
      'PING',
      '{"type":"ws.ping"}',
      '{"sem":true,"event":{"type":"ws.ping"}}',
    ])
      client.socket.send(text)
    let pongs = 0
    await client.until(({ event }) => event.type === 'ws.pong' && ++pongs === 3)
    expect(typesOf(client)).toEqual(['ws.hello', 'ws.pong', 'ws.pong', 'ws.pong'])
    const hello = client.frames[0]?.event
    expect(hello?.data).toEqual({ convId: 'c', runtimeKey: 'default', serverTime: expect.stringMatching(/^\d{13}$/) })
    expect(hello?.id).toBe(`ws.hello:c:${String(hello?.data['serverTime'])}`)
    await client.close()
  })

  test('tells of a whole exchange, in order, each frame with its ids', async () => {
    const server = await started({ profiles: [{ ...scriptedProfile, tools: [calculator] }] })
    const client = await WebchatClient.connect(server.url, 'c')
    const answer = await server.chat({ prompt: 'What is 17 * 23?', conv_id: 'c' })
    await client.untilEnded()
    const frames = client.frames.slice(1)
    const own = frames.map(({ event }) => event.type).filter((type) => !/upsert|delta$/.test(type))
    const thought = ['llm.thinking.start', 'llm.thinking.final']
    expect(own).toEqual([
      ...['chat.message', ...thought, 'tool.start', 'tool.result', 'tool.done'],
      ...[...thought, 'llm.start', 'llm.final', 'inference.ended'],
    ])
    for (const { event } of frames) {
      expect(event.correlation).toEqual({
        ...{ conv_id: 'c', session_id: 'c', inference_id: answer.inference_id, turn_id: answer.turn_id },
      })
      expect(Number.isSafeInteger(event.seq)).toBe(true)
    }
    expect(frames.map(({ event }) => event.seq)).toEqual(
      frames.map(({ event }) => event.seq).toSorted((a, b) => Number(a) - Number(b)),
    )
    expect(shown(client.view)).toEqual(shown(await reloaded(server, 'c')))
    expect(shown(client.view).map(({ kind, props }) => props['role'] ?? kind)).toEqual([
      ...['user', 'thinking', 'tool_call', 'tool_result', 'thinking', 'assistant'],
    ])
    await client.close()
  })

  test('tells why there is no answer', async () => {
    const model: Engine = async function* () {
      yield { type: 'provider-call-started', provider: 'test', model: 'test-1' }
      throw new Error('the line is cut')
    }
    const server = await started({ profiles: [{ slug: 'default', model }] })
    const client = await WebchatClient.connect(server.url, 'c')
    await server.chat({ prompt: 'Hello', conv_id: 'c' })
    const { event } = await client.until((frame) => frame.event.type === 'llm.error')
    expect(event.data).toMatchObject({ code: 'INTERNAL', message: 'the line is cut' })
    await client.untilEnded()
    // A browser that does not know the type shows the entity.
    expect(shown(client.view).at(-1)).toMatchObject({ kind: 'error', props: { message: 'the line is cut' } })
    expect(shown(await reloaded(server, 'c'))).toEqual(shown(client.view))
    await client.close()
  })

  test.each<[query: string, status: number, sentence: string]>([
    ['', 400, 'missing conv_id'],
    ['?conv_id=%20', 400, 'missing conv_id'],
    ['?conv_id=c&profile=x', 404, 'profile not found: x'],
  ])('is refused before it opens, and so is a request: %s', async (query, status, sentence) => {
    const server = await started()
    expect(await refused(`${server.url}/ws${query}`)).toEqual([status, sentence])
    const response = await server.get(`/ws${query}`)
    expect([response.status, await response.text()]).toEqual([status, sentence])
  })

  test('is refused for a number that was never given, and for an id that none can have', async () => {
    const server = await started()
    expect((await refused(`${server.url}/ws?conv_id=c&since=x`))[0]).toBe(400)
    expect((await refused(`${server.url}/ws?conv_id=c&since=99000000`))[0]).toBe(409)
    expect(await refused(`${server.url}/ws?conv_id=..%2F`)).toEqual([400, 'invalid conv_id'])
  })

  test("shows nobody another's conversation, and makes none for who may only read", async () => {
    const person = (tenant: string, permissions: readonly ('read' | 'write')[]): Principal => {
      return { tenant, name: tenant, permissions: new Set(permissions) }
    }
    const people: Record<string, Principal> = {
      anna: person('anna', ['read', 'write']),
      eve: person('anna', ['read']),
      bert: person('bert', ['read', 'write']),
    }
    const server = await started({ authenticate: async ({ bearer = '' }) => people[bearer] })
    const as = (name: string) => refused(`${server.url}/ws?conv_id=c`, { authorization: `Bearer ${name}` })
    expect((await as('eve'))[0]).toBe(404)
    await server.post('/chat', { prompt: 'Say hello', conv_id: 'c' }, { authorization: 'Bearer anna' })
    expect((await as('bert'))[0]).toBe(404)
  })

  test('says so when its conversation is deleted', async () => {
    const server = await started()
    const client = await WebchatClient.attach(server.url, 'conv_id=c')
    await fetch(`${server.url}/api/sessions/c`, { method: 'DELETE' })
    expect(await client.closed).toBe(1011)
    expect(client.frames.at(-1)).toEqual({ error: 'failed to attach websocket' })
  })
})

describe('a socket that was lost', () => {
  test('is resumed behind the last frame that was seen, without a gap and without a repetition', async () => {
    const lost = Promise.withResolvers<void>()
    const [before, after] = [textReply('one ').slice(0, 3), textReply('one two').slice(-2)]
    const rest: EngineStep = { type: 'text-delta', segmentId: '0', offset: 4, delta: 'two' }
    const model = eventEngine([...before, () => lost.promise, rest, ...after])
    const server = await started({ profiles: [{ slug: 'default', model }] })
    await server.chat({ prompt: 'Say one two', conv_id: 'c' })
    const first = await WebchatClient.attach(server.url, 'conv_id=c&since=0')
    await first.until(({ event }) => event.type === 'llm.delta')
    await first.close()
    lost.resolve()
    const seen = first.frames.slice(1)
    const last = seen.at(-1)?.event.seq ?? 0
    // Nobody looks on, and it goes on.
    const second = await WebchatClient.attach(server.url, `conv_id=c&since=${last}`)
    await second.untilEnded()
    const whole = await WebchatClient.attach(server.url, 'conv_id=c&since=0')
    await whole.untilEnded()
    expect([...seen, ...second.frames.slice(1)]).toEqual(whole.frames.slice(1))
    await Promise.all([second.close(), whole.close()])
  })

  test('changes nothing of who answers when it comes back, whatever it names', async () => {
    const server = await started({
      profiles: [scriptedProfile, { ...scriptedProfile, slug: 'free', allowsOverrides: true }],
    })
    await server.chat({ prompt: 'Say one', conv_id: 'c', overrides: { system_prompt: 'Shout.' } }, '/chat/free')
    const before = await WebchatClient.attach(server.url, 'conv_id=c&since=0')
    await before.untilEnded()
    await before.close()
    const { store } = server.geppetto.context.conversations
    const head = await store.head('c')
    const again = await WebchatClient.attach(server.url, 'conv_id=c&profile=default')
    expect(again.frames[0]?.event.data['runtimeKey']).toBe('free')
    expect(await store.head('c')).toEqual(head)
    await again.close()
  })
})

describe('a run that waits', () => {
  const refund = defineTool({
    name: 'refund',
    description: 'Pays money back.',
    input: z.object({ cents: z.number() }),
    needsApproval: () => true,
    execute: ({ cents }) => ({ paid: cents }),
  })

  test('for an approval says so, is seen after a reload, and goes on when it was given', async () => {
    const model = eventEngine(toolReply(['call', 'refund', { cents: 5 }]), textReply('Paid.'))
    const server = await started({ profiles: [{ slug: 'default', model, tools: [refund] }] })
    const client = await WebchatClient.connect(server.url, 'c')
    await server.chat({ prompt: 'Pay back', conv_id: 'c' })
    const { event } = await client.until((frame) => frame.event.type === 'tool.approval')
    expect(event.data).toMatchObject({ id: 'call', name: 'refund', input: { cents: 5 }, reason: 'policy' })
    const status = async () => (await reloaded(server, 'c')).byId.get('call')?.props['status']
    expect(await status()).toBe('awaiting_approval')
    const { approvalId, hash } = event.data
    await server.post(`/api/sessions/c/approvals/${String(approvalId)}`, { decision: 'approved', hash: String(hash) })
    await client.untilEnded()
    expect(await status()).toBe('completed')
    expect(client.view.byId.get('call:result')?.props['result']).toBe('{"paid":5}')
    await client.close()
  })

  test('at a step that the prompt has asked for is let go by whoever looks', async () => {
    const profile = { slug: 'default', model: scripted({ pace: 0 }), tools: [calculator] }
    const server = await started({ profiles: [profile], debugApi: true })
    const client = await WebchatClient.connect(server.url, 'c')
    await server.chat({ prompt: 'What is 17 * 23?', conv_id: 'c', overrides: { step_mode: true } })
    for (const phase of ['after_inference', 'after_tools']) {
      const { event } = await client.until((frame) => frame.event.data['phase'] === phase)
      expect([event.type, event.data['deadlineMs']]).toEqual(['debugger.pause', expect.stringMatching(/^\d+$/)])
      const response = await server.post('/api/debug/continue', { pause_id: event.id, conv_id: 'c' })
      expect(await response.json()).toMatchObject({ ok: true, pause: { pause_id: event.id, phase } })
    }
    await client.untilEnded()
    await client.close()
  })
})
