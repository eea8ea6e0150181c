import { afterEach, describe, expect, test } from 'vitest'
import { WebchatClient, type Frame } from '../../../../test/support/webchat-client.ts'
import {
  heldModel,
  scriptedProfile,
  startWebchat,
  type WebchatServer,
} from '../../../../test/support/webchat-server.ts'
import { calculator } from '../../../inference/builtin-tools.ts'
import { turnFromText } from '../../../turns/document.ts'
import { sessionIdKey } from '../../../turns/keys.ts'
import type { Permission, Principal } from '../../principal.ts'

const open: WebchatServer[] = []
async function started(options: Parameters<typeof startWebchat>[0] = {}): Promise<WebchatServer> {
  const server = await startWebchat({ debugApi: true, ...options })
  open.push(server)
  return server
}
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
})

/** Asks for a sum, and waits for the answer. */
async function summed(server: WebchatServer, convId: string) {
  const answer = await server.chat({ prompt: 'What is 17 * 23?', conv_id: convId, idempotency_key: `key-${convId}` })
  const client = await WebchatClient.attach(server.url, `conv_id=${convId}&since=0`)
  await client.untilEnded()
  await client.close()
  return { answer, frames: client.frames.slice(1) }
}

const withTools = { profiles: [{ ...scriptedProfile, tools: [calculator] }] } as const

async function json(response: Promise<Response>): Promise<Record<string, unknown>> {
  return (await (await response).json()) as Record<string, unknown>
}
async function textOf(response: Promise<Response>): Promise<readonly [number, string]> {
  return [(await response).status, await (await response).text()]
}

describe('the debug API', () => {
  test('is there only where it is wanted, and for who may inspect', async () => {
    const off = await started({ debugApi: false })
    expect((await off.get('/api/debug/conversations')).status).toBe(404)
    const may = (...permissions: Permission[]): Principal => ({
      tenant: '',
      name: 'x',
      permissions: new Set(permissions),
    })
    const people: Record<string, Principal> = { user: may('read', 'write'), dev: may('read', 'inspect') }
    const server = await started({ authenticate: async ({ bearer = '' }) => people[bearer] })
    const as = (name: string) => ({ authorization: `Bearer ${name}` })
    expect((await server.get('/api/debug/conversations', as('user'))).status).toBe(403)
    expect((await server.get('/api/debug/conversations', as('dev'))).status).toBe(200)
    // Looking is not touching.
    expect((await server.post('/api/debug/step/enable', { conv_id: 'c' }, as('dev'))).status).toBe(403)
  })

  test('lists conversations, and tells what each does', async () => {
    const { engine, called } = heldModel()
    const server = await started({ profiles: [{ slug: 'default', model: engine }] })
    await server.chat({ prompt: 'Say one', conv_id: 'old' })
    const first = await called(1)
    const follower = await WebchatClient.attach(server.url, 'conv_id=old&since=0')
    first.release()
    await follower.untilEnded()
    await follower.close()
    await server.chat({ prompt: 'Say two', conv_id: 'new', idempotency_key: 'k' })
    await server.chat({ prompt: 'Say three', conv_id: 'new' })
    const running = await called(2)
    const client = await WebchatClient.attach(server.url, 'conv_id=new')
    const { items } = (await json(server.get('/api/debug/conversations'))) as { items: Record<string, unknown>[] }
    expect(items.map(({ conv_id }) => conv_id)).toEqual(['new', 'old'])
    const idle = { active_sockets: 0, stream_running: false, queue_depth: 0, source: 'persisted' }
    const fixed = { session_id: 'old', runtime_key: 'default', has_timeline_source: true }
    expect(items[1]).toMatchObject({ conv_id: 'old', ...fixed, ...idle, last_activity_ms: expect.any(Number) })
    const live = { active_sockets: 1, stream_running: true, queue_depth: 1, source: 'merged' }
    expect(items[0]).toMatchObject({ conv_id: 'new', ...live, buffered_events: expect.any(Number) })
    expect(await json(server.get('/api/debug/conversations/new'))).toMatchObject({ ...live, active_request_key: 'k' })
    expect(await json(server.get('/api/debug/conversations/old'))).toMatchObject({ ...idle, active_request_key: '' })
    expect(await textOf(server.get('/api/debug/conversations/none'))).toEqual([404, 'conversation not found'])
    expect(await textOf(server.post('/api/debug/conversations', {}))).toEqual([405, 'method not allowed'])
    running.release()
    ;(await called(3)).release()
    await client.untilEnded(2)
    await client.close()
  })

  test('gives the frames of any conversation, as they were sent, by their own numbers', async () => {
    const server = await started(withTools)
    const { frames } = await summed(server, 'c')
    const events = async (query = '') =>
      (await json(server.get(`/api/debug/events/c${query}`))) as {
        items: { seq: number; type: string; frame: Frame }[]
      }
    const all = await events()
    expect(all).toMatchObject({ conv_id: 'c', since_seq: 0, type: '', limit: 200 })
    expect(all.items.map(({ frame }) => frame)).toEqual(frames)
    expect(all.items.map(({ seq }) => seq)).toEqual(frames.map(({ event }) => event.seq))
    const third = all.items[2]?.seq ?? 0
    expect((await events(`?since_seq=${third}&limit=2`)).items).toEqual(all.items.slice(3, 5))
    expect((await events('?type=tool.done')).items.map(({ type }) => type)).toEqual(['tool.done'])
    expect((await events('?since_seq=999000000')).items).toEqual([])
    expect((await server.get('/api/debug/events/none')).status).toBe(404)
  })

  test('gives every snapshot of every turn, the newest first, as YAML and as JSON', async () => {
    const server = await started(withTools)
    const { answer } = await summed(server, 'c')
    const turns = async (query: string) =>
      (await json(server.get(`/api/debug/turns?${query}`))) as { items: Record<string, string>[] }
    const { items, ...head } = await turns('conv_id=c')
    expect(head).toEqual({ conv_id: 'c', session_id: '', phase: '', since_ms: 0 })
    expect(items.map(({ phase }) => phase)).toEqual([
      ...['final', 'post_inference', 'pre_inference', 'post_tools', 'post_inference', 'pre_inference'],
    ])
    expect(items[0]).toMatchObject({
      ...{ conv_id: 'c', session_id: 'c', turn_id: answer.turn_id, inference_id: answer.inference_id },
      ...{ source: 'persister', runtime_key: 'default', runtime: { profile: 'default' }, seq_hint: expect.any(Number) },
    })
    const turn = turnFromText(items[0]?.['payload'] ?? '')
    expect([turn.id, sessionIdKey.get(turn)]).toEqual([answer.turn_id, 'c'])
    expect((await turns('session_id=c&phase=post_tools')).items.map(({ phase }) => phase)).toEqual(['post_tools'])
    expect((await turns('conv_id=c&limit=1')).items).toEqual(items.slice(0, 1))
    expect((await turns('conv_id=c&session_id=d')).items).toEqual([])
    expect((await turns(`conv_id=c&since_ms=${Date.now() + 60_000}`)).items).toEqual([])
    expect(await textOf(server.get('/api/debug/turns'))).toEqual([400, 'missing conv_id or session_id'])
    const one = await json(server.get(`/api/debug/turn/c/c/${answer.turn_id}`))
    expect(one).toMatchObject({ conv_id: 'c', session_id: 'c', turn_id: answer.turn_id })
    expect((one['items'] as { parsed: object }[])[0]?.parsed).toMatchObject({
      id: answer.turn_id,
      metadata: {},
      data: {},
    })
    for (const path of [`c/c/none`, `c/d/${answer.turn_id}`]) {
      expect(await textOf(server.get(`/api/debug/turn/${path}`))).toEqual([404, 'turn not found'])
    }
    expect(await textOf(server.get('/api/debug/turn/c/c'))).toEqual([
      400,
      'expected /api/debug/turn/:convId/:sessionId/:turnId',
    ])
    expect((await server.get(`/api/debug/timeline?conv_id=c`)).status).toBe(200)
  })

  test('says of each turn who answered it', async () => {
    const server = await started({ profiles: [scriptedProfile, { ...scriptedProfile, slug: 'poet' }] })
    for (const path of ['/chat', '/chat/poet']) await server.chat({ prompt: 'Say one', conv_id: 'c' }, path)
    const client = await WebchatClient.attach(server.url, 'conv_id=c&since=0')
    await client.untilEnded(2)
    await client.close()
    const { items } = (await json(server.get('/api/debug/turns?conv_id=c&phase=final'))) as {
      items: Record<string, string>[]
    }
    expect(items.map(({ runtime_key }) => runtime_key)).toEqual(['poet', 'default'])
  })

  test('holds runs at their steps, for the conversation that is named', async () => {
    const server = await started(withTools)
    await server.geppetto.context.conversations.create({ tenant: '', name: '', permissions: new Set() }, 'c')
    const post = (path: string, body: Record<string, string>) => server.post(`/api/debug/${path}`, body)
    expect(await json(post('step/enable', { conv_id: 'c', owner: 'ada' }))).toEqual({
      ...{ ok: true, session_id: 'c', conv_id: 'c' },
    })
    const client = await WebchatClient.connect(server.url, 'c')
    await server.chat({ prompt: 'What is 17 * 23?', conv_id: 'c' })
    const { event } = await client.until((frame) => frame.event.type === 'debugger.pause')
    expect(await textOf(post('continue', { pause_id: event.id, conv_id: 'd' }))).toEqual([
      403,
      'pause does not belong to this conversation',
    ])
    expect(await json(post('step/disable', { session_id: 'c' }))).toEqual({ ok: true, session_id: 'c' })
    await client.untilEnded()
    await client.close()
    expect(await textOf(post('continue', { pause_id: event.id }))).toEqual([404, 'unknown pause_id'])
    expect(await textOf(post('continue', {}))).toEqual([400, 'missing pause_id'])
    for (const step of ['step/enable', 'step/disable']) {
      expect(await textOf(post(step, { conv_id: 'none' }))).toEqual([400, 'missing session_id (or unknown conv_id)'])
    }
    expect(await textOf(server.post('/api/debug/step/enable', '{'))).toEqual([400, 'bad request'])
    expect((await server.get('/api/debug/continue')).status).toBe(405)
  })
})
