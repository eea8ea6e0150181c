import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/inference/engine.ts'
import { defineTool, type Tool } from '../../src/inference/tool.ts'
import { createEngine } from '../../src/providers/factory.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { exportSession } from '../../src/session/session-file.ts'
import * as z from 'zod'
import { attackedServer, pay, type AttackedServer } from '../support/attacked-server.ts'
import { eventEngine, textReply, toolReply, untilAborted } from '../support/event-engine.ts'
import { startProviderServer } from '../support/provider-server.ts'
import { testTool } from '../support/runs.ts'

// A model says what its reader made it say: a page, a file, a tool's result. It gets what it was given, and no more.

function serving(model: Engine, tools: readonly Tool[] = [], options: { readonly maxIterations?: number } = {}) {
  return attackedServer({ profiles: [{ slug: 'default', model, tools, loop: options }] })
}

async function submit(attacked: AttackedServer, json: object): Promise<string> {
  const made = await attacked.ask('/api/sessions', { as: 'ada', json: {} })
  const { session_id: id } = (await made.json()) as { readonly session_id: string }
  const sent = await attacked.ask(`/api/sessions/${id}/messages`, { as: 'ada', json })
  expect(sent.status).toBe(202)
  return id
}

/** Posts to a dialect that makes a session of its own, and gives its id. */
async function postedTo(attacked: AttackedServer, path: string, json: object): Promise<string> {
  const answer = await attacked.ask(path, { as: 'ada', json })
  expect(answer.status).toBe(200)
  return answer.headers.get('x-geppetto-session-id') ?? ''
}

/** All that is kept of a session, as text. */
async function keptOf(attacked: AttackedServer, id: string): Promise<string> {
  return JSON.stringify(await attacked.store.read(id, { after: 0 }))
}

describe('a tool that the model was not given', () => {
  const ran: string[] = []
  const noting = (name: string, options: Partial<Tool> = {}) => testTool(name, () => ran.push(name), options)

  test.each([
    'remove',
    'Delete_file',
    'delete_file ',
    'dеlete_file',
    '../delete_file',
    '__proto__',
    'constructor',
    'toString',
  ])('such as %j is not run, and the model is told so', async (name) => {
    ran.length = 0
    await using attacked = await serving(eventEngine(toolReply(['c1', name]), textReply('Well')), [
      noting('delete_file'),
    ])
    const id = await submit(attacked, { prompt: 'Go' })
    const { status } = await attacked.event(id, 'tool-result-ready')
    await attacked.event(id, 'inference-finished')
    expect([status, ran]).toEqual(['error', []])
  })

  test('in this profile is not run, whatever other profiles have', async () => {
    ran.length = 0
    const model = eventEngine(toolReply(['c1', 'delete_file']), textReply('Well'))
    const other = { slug: 'admin', model, tools: [noting('delete_file')] }
    await using attacked = await attackedServer({
      profiles: [{ slug: 'default', model, tools: [noting('look')] }, other],
    })
    const id = await submit(attacked, { prompt: 'Go' })
    await attacked.event(id, 'inference-finished')
    expect(ran).toEqual([])
  })

  test('is none that a caller may declare under the name of one of the profile: that one is run, and not asked of them', async () => {
    ran.length = 0
    const model = eventEngine(toolReply(['c1', 'delete_file']), textReply('Well'))
    await using attacked = await serving(model, [noting('delete_file')])
    const parameters = { type: 'object', properties: {} }
    const id = await postedTo(attacked, '/v1/responses', {
      model: 'default',
      input: 'Go',
      tools: [{ type: 'function', name: 'delete_file', parameters }],
    })
    await attacked.event(id, 'inference-finished')
    expect(ran).toEqual(['delete_file'])
    expect(await keptOf(attacked, id)).not.toContain('"type":"approval-requested"')
  })

  test.each([
    ['a property too many', { path: 'a', force: true }],
    ['a property too few', {}],
    ['another type', { path: 7 }],
    ['no object', ['a']],
  ])('is not run with %s', async (_what, input) => {
    ran.length = 0
    const strict = defineTool({
      name: 'delete_file',
      description: 'Deletes a file.',
      input: z.strictObject({ path: z.string() }),
      execute: () => ran.push('delete_file'),
    })
    await using attacked = await serving(eventEngine(toolReply(['c1', 'delete_file', input]), textReply('Well')), [
      strict,
    ])
    const id = await submit(attacked, { prompt: 'Go' })
    expect((await attacked.event(id, 'tool-result-ready')).status).toBe('error')
    await attacked.event(id, 'inference-finished')
    expect(ran).toEqual([])
  })
})

test('a model that calls tools for ever is ended', async () => {
  const again = toolReply(['c', 'echo'])
  await using attacked = await serving(
    eventEngine(...Array.from({ length: 50 }, (_none, index) => toolReply([`c${index}`, 'echo'])), again),
    [testTool('echo', () => 'again')],
    { maxIterations: 7 },
  )
  const id = await submit(attacked, { prompt: 'Go' })
  expect((await attacked.event(id, 'inference-failed')).error.code).toBe('LOOP_LIMIT')
  const calls = (await keptOf(attacked, id)).match(/"type":"provider-call-started"/g) ?? []
  expect(calls).toHaveLength(7)
})

test('one session takes so many prompts that wait, and no more', async () => {
  await using attacked = await serving(eventEngine([untilAborted]))
  const id = await submit(attacked, { prompt: 'Go' })
  await attacked.event(id, 'inference-started')
  const statuses: number[] = []
  for (let index = 0; index < 20; index += 1) {
    statuses.push((await attacked.ask(`/api/sessions/${id}/messages`, { as: 'ada', json: { prompt: 'Go' } })).status)
  }
  expect(statuses.filter((status) => status === 202)).toHaveLength(16)
  expect(statuses.at(-1)).toBe(429)
  await attacked.ask(`/api/sessions/${id}/cancel`, { as: 'ada', json: {} })
  await attacked.event(id, 'inference-stopped')
})

describe('an approval', () => {
  async function waiting() {
    const paid: unknown[] = []
    const tool = testTool('pay', (input) => paid.push(input), { needsApproval: pay.needsApproval! })
    const attacked = await serving(
      eventEngine(toolReply(['c1', 'pay', { cents: 1 }], ['c2', 'pay', { cents: 2 }]), textReply('Well')),
      [tool],
      {},
    )
    const id = await submit(attacked, { prompt: 'Go' })
    const { approvalId, hash } = await attacked.event(id, 'approval-requested')
    const decide = (as: 'ada' | 'bob' | 'ray', json: object, at = approvalId) =>
      attacked.ask(`/api/sessions/${id}/approvals/${at}`, { as, json })
    return { attacked, id, approvalId, hash, paid, decide }
  }

  test('is nothing that a stranger, or one who may only read, can give', async () => {
    const { attacked, paid, decide } = await waiting()
    await using _server = attacked
    expect((await decide('bob', { decision: 'approved' })).status).toBe(404)
    expect((await decide('ray', { decision: 'approved' })).status).toBe(403)
    expect(paid).toEqual([])
  })

  test('for what was shown is none for what is asked now', async () => {
    const { attacked, paid, decide } = await waiting()
    await using _server = attacked
    expect((await decide('ada', { decision: 'approved', hash: 'f'.repeat(64) })).status).toBe(409)
    expect(paid).toEqual([])
  })

  test('is given once: who gives it again, or takes it back, changes nothing', async () => {
    const { attacked, id, hash, paid, decide } = await waiting()
    await using _server = attacked
    expect((await decide('ada', { decision: 'denied', hash })).status).toBe(202)
    await attacked.event(id, 'approval-decided')
    expect((await decide('ada', { decision: 'approved', hash })).status).toBe(404)
    expect((await decide('ada', { decision: 'denied', hash })).status).toBe(202)
    expect(paid).toEqual([])
    const decided = (await keptOf(attacked, id)).match(/"type":"approval-decided"/g)
    expect(decided).toHaveLength(1)
  })

  test.each(['c1', 'made-up', '__proto__'])('of no id such as %s is given', async (at) => {
    const { attacked, paid, decide } = await waiting()
    await using _server = attacked
    expect((await decide('ada', { decision: 'approved' }, at)).status).toBe(404)
    expect(paid).toEqual([])
  })

  test('says in the log who gave it, by the name that they were let in by', async () => {
    const { attacked, id, decide } = await waiting()
    await using _server = attacked
    await decide('ada', { decision: 'denied', by: 'somebody else', principal: 'somebody else' })
    expect((await attacked.event(id, 'approval-decided')).by).toBe('ada')
  })
})

describe('an image by its address', () => {
  test.each(['openai', 'openai-responses', 'anthropic', 'gemini'])(
    'is never fetched by this server: %s gets the address, or a note',
    async (name) => {
      let connections = 0
      const inside = createServer((socket) => {
        connections += 1
        socket.destroy()
      })
      await new Promise<void>((resolve) => inside.listen(0, '127.0.0.1', resolve))
      const { port } = inside.address() as AddressInfo
      await using provider = await startProviderServer()
      const network = { allowHttp: true, allowPrivate: true }
      const model = createEngine(name, { apiKey: 'canary-key-of-provider', baseUrl: provider.url('ok'), network })
      await using attacked = await serving(model)
      const url = `https://127.0.0.1:${port}/latest/meta-data`
      const id = await submit(attacked, { prompt: 'Look', attachments: [{ type: 'image_url', url }] })
      await attacked.event(id, 'inference-finished')
      expect(connections).toBe(0)
      inside.close()
    },
  )

  test.each([
    'http://169.254.169.254/latest',
    'file:///etc/passwd',
    'gopher://127.0.0.1/',
    'javascript:alert(1)',
    'data:text/html,<script>',
    'https://user:password@example.com/a.png',
    '//example.com/a.png',
    '',
  ])('such as %s is refused', async (url) => {
    await using attacked = await serving(scripted({ pace: 0 }))
    const made = await attacked.ask('/api/sessions', { as: 'ada', json: { session_id: 'images' } })
    expect(made.status).toBe(201)
    const json = { prompt: 'Look', attachments: [{ type: 'image_url', url }] }
    expect((await attacked.ask('/api/sessions/images/messages', { as: 'ada', json })).status).toBe(400)
  })
})

describe('a key', () => {
  const canary = 'canary-key-of-the-provider-0123456789'

  test.each(['openai', 'openai-responses', 'anthropic', 'gemini'])(
    'that %s repeats in its refusal is seen by nobody',
    async (name) => {
      await using provider = await startProviderServer()
      const network = { allowHttp: true, allowPrivate: true }
      const model = createEngine(name, { apiKey: canary, baseUrl: provider.url('refusing'), network })
      await using attacked = await serving(model)
      const id = await submit(attacked, { prompt: 'Go' })
      await attacked.event(id, 'inference-failed')
      expect(provider.keys).toContain(canary)
      const seen = [await keptOf(attacked, id), JSON.stringify(attacked.told)]
      for (const path of ['', '/turns', '/turns?format=yaml', '/events', '/events?after=snapshot']) {
        const answer = await attacked.ask(`/api/sessions/${id}${path}`, { as: 'ada' })
        seen.push(await firstOf(answer))
      }
      seen.push(await (await attacked.ask('/metrics', { as: 'ada' })).text())
      for await (const line of exportSession(attacked.store, id)) seen.push(line)
      expect(seen.join('\n')).toContain('[key]')
      expect(seen.join('\n')).not.toContain(canary)
    },
  )

  test('of a caller is in no answer, no log and no record of theirs', async () => {
    await using attacked = await serving(scripted({ pace: 0 }))
    const id = await submit(attacked, { prompt: 'Say yes' })
    await attacked.event(id, 'inference-finished')
    const errors = await Promise.all(
      ['/nothing', '/api/sessions/unknown', `/api/sessions/${id}/events?after=x`].map(async (path) =>
        (await attacked.ask(path, { as: 'ada' })).text(),
      ),
    )
    const seen = [...errors, await keptOf(attacked, id), JSON.stringify(attacked.told)].join('\n')
    expect(seen).not.toContain('ada-0123456789abcdef')
  })

  test('in an error that is not ours is told to nobody but the log, which removes it', async () => {
    await using attacked = await attackedServer({
      authenticate: () =>
        Promise.reject(new Error('cannot reach db://admin:hunter2@10.0.0.7 with sk-canary0123456789abcdef')),
    })
    const answer = await attacked.ask('/api/sessions', { as: 'ada' })
    const text = await answer.text()
    expect(answer.status).toBe(500)
    expect(text).not.toMatch(/hunter2|canary|10\.0\.0\.7|db:/)
    expect(text).toContain(answer.headers.get('x-request-id'))
    expect(JSON.stringify(attacked.told)).not.toContain('sk-canary')
  })
})

async function firstOf(response: Response): Promise<string> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response.text()
  const reader = response.body!.getReader()
  const texts = [await reader.read(), await reader.read()].map(({ value }) => new TextDecoder().decode(value))
  await reader.cancel()
  return texts.join('')
}
