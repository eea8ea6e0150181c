import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.ts'
import {
  attackedServer,
  dialects,
  people,
  TestSocket,
  type Asked,
  type AttackedServer,
} from '../support/attacked-server.ts'

// Bob has every id of Ada's. Whatever he does with them, wherever they fit, he is answered as if nobody had them.

const canary = 'canary-of-ada'
const unknown = '0198c0de-0000-7000-8000-000000000000'

/** What a session is called in paths, queries and bodies, by whichever dialect. */
const sessionNames = ['session_id', 'sessionId', 'id', 'conv_id', 'convId', 'conversation_id', 'conversation']
const otherNames = ['thread_id', 'threadId', 'chat_id', 'chatId', 'previous_response_id', 'response_id', 'turn_id']
const runNames = ['turnId', 'run_id', 'runId', 'inference_id', 'inferenceId', 'approval_id', 'approvalId']
/** Posts that one who may only read may make: a ticket for what they may, the name of a profile in a cookie of theirs. */
const changesNothing = ['/api/tickets', '/api/chat/profile']

const idNames = [...sessionNames, ...otherNames, ...runNames]

let attacked: AttackedServer
/** Every id of Ada's session. */
let ids: readonly string[] = []
let sessionId = ''

beforeAll(async () => {
  attacked = await attackedServer({ limits: { requestsPerCaller: 1e9, writesPerCaller: 1e9, streamsPerCaller: 1e9 } })
  const made = await attacked.ask('/api/sessions', { as: 'ada', json: {} })
  sessionId = ((await made.json()) as { session_id: string }).session_id
  const say = (prompt: string) => attacked.ask(`/api/sessions/${sessionId}/messages`, { as: 'ada', json: { prompt } })
  await say(`Say ${canary}`)
  await attacked.event(sessionId, 'inference-finished')
  await say(`call pay {"to": "${canary}"}`)
  const { approvalId, toolCallId, turnId, inferenceId } = await attacked.event(sessionId, 'approval-requested')
  ids = [sessionId, turnId, inferenceId, approvalId, toolCallId, `resp_${inferenceId}`, `resp_${inferenceId}_1`]
})

afterAll(() => attacked[Symbol.asyncDispose]())

/** All that is kept of Ada's session. */
async function kept(): Promise<unknown> {
  return [await attacked.store.head(sessionId), await attacked.store.read(sessionId, { after: 0 })]
}

interface Answer {
  readonly status: number
  readonly body: string
}

/** What is answered at `path` when its parameters, and whatever may stand in the query or the body, are `given`. */
async function answerTo(as: Asked['as'], method: string, path: string, given: readonly string[]): Promise<Answer> {
  const bob = { ...people.bob, permissions: new Set<never>() }
  for (const { sessionId: made } of await attacked.store.list({ tenant: bob.tenant })) {
    await attacked.server.context.conversations.delete(bob, made)
  }
  let next = 0
  const filled = path.replaceAll(/:(\w+)(?:\{[^}]*\})?\??/g, () => encodeURIComponent(given[next++ % given.length]!))
  const [first = ''] = given
  const named = Object.fromEntries(idNames.map((name) => [name, first]))
  const message = { id: 'm1', role: 'user', content: 'Go', parts: [{ type: 'text', text: 'Go' }] }
  const body = { prompt: 'Go', input: 'Go', message, messages: [message], tools: [], state: {}, context: [] }
  const rest = {
    model: 'default',
    profile: 'default',
    stream: false,
    decision: 'approved',
    trigger: 'submit-message',
    forwardedProps: {},
  }
  const hasBody = !['GET', 'DELETE'].includes(method)
  const query = as === 'ada' ? '' : new URLSearchParams(named).toString()
  const response = await attacked.ask(`${filled}?${query}`, {
    ...(as && { as }),
    method,
    ...(hasBody && { json: { ...named, ...body, ...rest } }),
  })
  const answer = { status: response.status, body: await beginning(response) }
  return { ...answer, body: given.reduce((text, id) => text.replaceAll(id, 'ID'), withoutRequestId(answer.body)) }
}

/** The whole answer, or of a stream what comes first. */
async function beginning(response: Response): Promise<string> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response.text()
  const reader = response.body!.getReader()
  const { value } = await reader.read()
  await reader.cancel()
  return new TextDecoder().decode(value)
}

function withoutRequestId(text: string): string {
  return text.replaceAll(/"request_id":"[^"]*"/g, '"request_id":"ID"').replaceAll(/request [\w-]{8,}/g, 'request ID')
}

/** An id of the same form that nobody has. */
function madeUp(id: string): string {
  return id.replace(/^(resp_)?.*?(_1)?$/, `$1${unknown}$2`)
}

/** Ways to put Ada's ids into the parameters of a path. */
function fillings(path: string): readonly (readonly string[])[] {
  const parameters = path.match(/:\w+/g)?.length ?? 0
  if (parameters < 2) return ids.map((id) => [id])
  return ids.flatMap((id) => ids.map((other) => [...Array.from({ length: parameters - 1 }, () => id), other]))
}

describe('the routes', () => {
  test('of every dialect that there is are under attack', () => {
    expect([...dialects].filter(([, dialect]) => dialect === undefined).map(([name]) => name)).toEqual([])
  })

  test('answer a stranger who has the ids as one who made them up, and change nothing', async () => {
    const before = await kept()
    for (const { method, path } of attacked.server.routes) {
      if (method === 'SOCKET') continue
      for (const filling of fillings(path)) {
        const where = `${method} ${path} with ${filling.map((id) => ids.indexOf(id)).join()}`
        const made = await answerTo('bob', method, path, filling.map(madeUp))
        const asked = await answerTo('bob', method, path, filling)
        expect(asked.body, where).not.toContain(canary)
        expect(made.body, where).not.toContain(sessionId)
        // What may be made under an id that a caller chooses is refused when it is there already.
        if (made.status < 300 && !/:\w/.test(path)) expect([made.status, 400, 404, 409], where).toContain(asked.status)
        else expect(asked, where).toEqual(made)
      }
    }
    expect(await kept()).toEqual(before)
  })

  test('let nobody in who does not say who they are', async () => {
    const open: string[] = []
    for (const { method, path } of attacked.server.routes) {
      if (method === 'SOCKET') continue
      const { status } = await answerTo(undefined, method, path, [sessionId])
      if (status !== 401) open.push(`${method} ${path}`)
    }
    expect(open.toSorted()).toEqual(['GET /healthz', 'GET /readyz'])
  })

  test('let who may only read change nothing', async () => {
    const before = await kept()
    for (const { method, path } of attacked.server.routes) {
      if (method === 'SOCKET' || method === 'GET') continue
      for (const filling of fillings(path)) {
        const { status } = await answerTo('ray', method, path, filling)
        if (!changesNothing.includes(path)) expect([403, 404, 405], `${method} ${path}`).toContain(status)
      }
    }
    expect(await kept()).toEqual(before)
    const { sessions } = (await (await attacked.ask('/api/sessions', { as: 'ray' })).json()) as {
      readonly sessions: readonly unknown[]
    }
    expect(sessions).toHaveLength(1)
  })

  test('show who may read what was said, and nothing of what only developers see', async () => {
    const seen: string[] = []
    for (const { method, path } of attacked.server.routes) {
      if (method !== 'GET' || !/\/(?:debug|log|metrics|request|trace)(?:\/|$)/.test(path)) continue
      seen.push(path)
      for (const filling of fillings(path)) {
        expect((await answerTo('ray', method, path, filling)).status, path).toBe(403)
      }
    }
    expect(seen.length).toBeGreaterThan(8)
  })

  test('show the owner what the stranger does not get: the attack is no blank', async () => {
    const silent: string[] = []
    for (const { method, path } of attacked.server.routes) {
      if (method !== 'GET' || !path.includes(':') || path === '/v1/models/:id') continue // models are everybody's
      const answers = await Promise.all(fillings(path).map((filling) => answerTo('ada', method, path, filling)))
      if (answers.every(({ status }) => status >= 400)) silent.push(path)
    }
    expect(silent).toEqual([])
  })

  test.each([
    ['tenant of another', { 'x-tenant': 'north', 'x-forwarded-user': 'ada', 'x-geppetto-tenant': 'north' }],
    [
      'cookie',
      { cookie: `session=${people.ada.key}; token=${people.ada.key}; authorization=Bearer ${people.ada.key}` },
    ],
  ])('believe no %s', async (_what, headers) => {
    const asBob = await attacked.ask(`/api/sessions/${sessionId}`, { as: 'bob', headers })
    expect(asBob.status).toBe(404)
    expect((await attacked.ask(`/api/sessions/${sessionId}`, { headers })).status).toBe(401)
  })

  test.each([
    '../../../etc/passwd',
    '..%2f..%2fmetrics',
    "' OR 1=1 --",
    `$.a') OR 1=1`,
    '%zz',
    '\u0000',
    '__proto__',
    'constructor',
    `${'long'.repeat(40)}er`,
  ])('take an id such as %j for one that nobody has', async (id) => {
    const plain = await attacked.ask(`/api/sessions/${encodeURIComponent(id)}`, { as: 'bob' })
    expect(plain.status).toBe(404)
    const raw = await attacked.ask(`/api/sessions/${id.replaceAll(/[\s\0]/g, '+')}/events`, { as: 'bob' })
    expect(raw.status).toBe(404)
    const made = await attacked.ask('/api/sessions', { as: 'bob', json: { session_id: id } })
    if (!/^\w+$/.test(id) || id.length > 128 || id.startsWith('_')) expect(made.status).toBe(400)
  })

  test.each([`' OR 1=1 --/x`, `9999/' OR '1'='1`, '/'])('list nothing of others for before=%j', async (before) => {
    const answer = await attacked.ask(`/api/sessions?before=${encodeURIComponent(before)}`, { as: 'bob' })
    expect(await answer.text()).not.toContain(sessionId)
  })
})

describe('an idempotency key', () => {
  test('of another is nothing to a stranger', async () => {
    const headers = { 'idempotency-key': 'key-of-ada' }
    const path = `/api/sessions/${sessionId}/messages`
    const submit = (as: 'ada' | 'bob', at = path) => attacked.ask(at, { as, headers, json: { prompt: 'Go' } })
    expect((await submit('ada')).status).toBe(202)
    expect((await submit('bob')).status).toBe(404)
    const own = (await (await attacked.ask('/api/sessions', { as: 'bob', json: {} })).json()) as JsonObject
    const other = await submit('bob', `/api/sessions/${String(own['session_id'])}/messages`)
    expect(other.status).toBe(202)
    expect(await other.json()).toMatchObject({ session_id: own['session_id'] })
  })
})

describe('each way to say who one is', () => {
  const forms: Readonly<Record<string, (key: string) => Asked['headers']>> = {
    bearer: (key) => ({ authorization: `Bearer ${key}` }),
    'bearer in small letters': (key) => ({ authorization: `bearer ${key}` }),
    'x-api-key': (key) => ({ 'x-api-key': key }),
  }
  const asked: readonly (readonly [path: string, json?: unknown])[] = [
    ['/api/sessions/ID'],
    ['/api/sessions/ID/messages', { prompt: 'Go' }],
    ['/api/sessions/ID/cancel', {}],
    ['/metrics'],
  ]

  test('gets the same answers', async () => {
    for (const [path, json] of asked) {
      for (const person of Object.values(people)) {
        const statuses = await Promise.all(
          Object.values(forms).map(async (form) => {
            const headers = form(person.key) ?? {}
            const response = await attacked.ask(path.replace('ID', sessionId), { headers, json })
            return response.status
          }),
        )
        expect(new Set(statuses).size, `${person.name} at ${path}: ${statuses.join()}`).toBe(1)
      }
    }
  })

  test('a token in an address is none', async () => {
    for (const name of ['token', 'access_token', 'api_key', 'key', 'ticket', 'authorization']) {
      const response = await attacked.ask(`/api/sessions?${name}=${people.ada.key}`)
      expect(response.status, name).toBe(401)
    }
  })
})

describe('the sockets', () => {
  test('answer a stranger who has the ids as one who made them up, and change nothing', async () => {
    const { url } = await attacked.listen()
    const before = await kept()
    const socket = await TestSocket.open(`${url}/api/ws`, { as: 'bob' })
    const tries = ['subscribe', 'submit', 'cancel', 'fork', 'decide', 'continue']
    for (const [index, type] of tries.entries()) {
      const sent = (id: string, suffix: string) => {
        const more = {
          approval_id: ids[3] ?? '',
          pause_id: ids[3] ?? '',
          params: { prompt: 'Go', decision: 'approved' },
        }
        const named = type === 'subscribe' ? {} : { id: `${index}${suffix}` }
        const message = { type, ...named, session_id: id, ...(type === 'subscribe' ? {} : more) }
        socket.send(message)
        return socket.find((heard) =>
          type === 'subscribe' ? heard['session_id'] === id : heard['id'] === `${index}${suffix}`,
        )
      }
      const strip = ({ id: _id, session_id: _session, ...rest }: JsonObject, given: string) =>
        JSON.stringify(rest).replaceAll(given, 'ID')
      const [own, made] = [await sent(sessionId, 'a'), await sent(unknown, 'b')]
      expect(strip(own, sessionId), type).toEqual(strip(made, unknown))
      expect(own['code'], type).toBe('SESSION_UNKNOWN')
    }
    socket.raw.terminate()
    expect(await kept()).toEqual(before)
  })

  test('of every dialect are closed to a stranger who has the ids', async () => {
    const { url } = await attacked.listen()
    for (const { method, path } of attacked.server.routes) {
      if (method !== 'SOCKET' || path === '/api/ws') continue
      const outcome = async (id: string) => {
        const query = new URLSearchParams(Object.fromEntries(idNames.map((name) => [name, id])))
        try {
          const socket = await TestSocket.open(`${url}${path}?${query.toString()}`, { as: 'bob' })
          socket.raw.terminate()
          return 'open'
        } catch (error) {
          return (error as Error).message
        }
      }
      expect(await outcome(sessionId), path).toBe('refused: 404')
    }
  })
})
