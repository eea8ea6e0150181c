import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { jsonSchemaInput, defineTool } from '../../src/inference/tool.ts'
import type { JsonObject } from '../../src/json.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { operations } from '../../src/server/native/operations.ts'
import { GeppettoServer } from '../../src/server/server.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'

let server: GeppettoServer
let document: JsonObject
const ajv = new Ajv2020({ strict: false, validateFormats: false })

beforeAll(async () => {
  const guarded = defineTool({
    name: 'guarded',
    description: 'Wants to be allowed.',
    input: jsonSchemaInput({ type: 'object' }),
    needsApproval: () => true,
    execute: () => ({ done: true }),
  })
  const profile = { slug: 'default', model: scripted({ pace: 0 }), tools: [guarded] }
  server = await GeppettoServer.open({ store: new MemoryStore(), profiles: [profile] })
  document = (await (await ask('get', '/openapi.json')).json()) as JsonObject // checked by a test of its own
  ajv.addSchema(document, 'api')
})
afterAll(() => server.stop())

function ask(method: string, path: string, body?: object, headers: Readonly<Record<string, string>> = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const request = new Request(`http://localhost/api${path}`, { method: method.toUpperCase(), ...sent })
  for (const [name, value] of Object.entries(headers)) request.headers.set(name, value)
  return server.fetch(request)
}

test('the document is one of OpenAPI 3.1', async () => {
  const validator = new Validator()
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
  expect(document['servers']).toEqual([{ url: '/api' }])
})

test('it has every route of our own API, and no other', () => {
  const routes = server.routes.filter(({ method, path }) => method !== 'SOCKET' && path.startsWith('/api/'))
  const described = operations.operations.map(({ method, path }) => `${method.toUpperCase()} /api${path}`)
  expect(described.toSorted()).toEqual([...new Set(routes.map(({ method, path }) => `${method} ${path}`))].toSorted())
})

/** What the document says of this status and type of content, as a place in it. */
function schemaAt(name: string, status: number, type: string): string {
  const { method, path } = operations.operations.find((each) => each.name === name)!
  const steps = ['paths', path.replaceAll(/:(\w+)/g, '{$1}'), method, 'responses', String(status), 'content', type]
  const escaped = steps.map((step) => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1')))
  return `api#/${escaped.join('/')}/schema`
}

/** Asks as the document says, and holds the answer to it. */
async function call(
  name: string,
  parts: Readonly<Record<string, string>> = {},
  body?: object,
  query = '',
): Promise<JsonObject> {
  const { method, path, answer } = operations.operations.find((each) => each.name === name)!
  const filled = path.replaceAll(/:(\w+)/g, (_all, part: string) => parts[part] ?? part)
  const response = await ask(method, `${filled}${query}`, body)
  const text = method === 'get' && name === 'followSession' ? '' : await response.text()
  expect([name, response.status, text]).toEqual([name, answer.status, text])
  called.add(name)
  if (response.status === 204) return {}
  const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? ''
  const isJson = type === 'application/json'
  const value: unknown = isJson ? JSON.parse(text) : text
  const validate = ajv.compile({ $ref: schemaAt(name, response.status, type) })
  expect([name, validate(value), validate.errors]).toEqual([name, true, null])
  if (name === 'followSession') await response.body?.cancel()
  return isJson ? (value as JsonObject) : {} // our answers are objects
}
const called = new Set<string>()

/** The first event of a type, from the stream. */
async function eventOf(session: string, type: string): Promise<JsonObject> {
  const response = await ask('get', `/sessions/${session}/events`)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  for (let text = ''; ;) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`no ${type}: ${text}`)
    text += value
    const line = text
      .split('\n')
      .find((each) => each.startsWith(`data: {"type":"${type}"`) && text.includes(`${each}\n`))
    if (line === undefined) continue
    await reader.cancel()
    return JSON.parse(line.slice(6)) as JsonObject // an event is an object
  }
}

test('what a server answers is what the document says, for every operation', async () => {
  const id = 's'
  await call('createSession', {}, { session_id: id })
  await call('setSteps', { id }, { enabled: true, phases: ['before_inference'] })
  const accepted = await call('submitMessage', { id }, { prompt: 'call guarded {}' })
  const pause = String((await eventOf(id, 'debugger.pause'))['pause_id'])
  await call('getSteps', { id })
  await call('getSession', { id }, undefined, '?inferences=5')
  await call('continueStep', { id, pause }, {})
  await call('setSteps', { id }, { enabled: false })
  const approval = String((await eventOf(id, 'approval-requested'))['approval_id'])
  await call('decideApproval', { id, approval }, { decision: 'approved' })
  await eventOf(id, 'inference-finished')
  await call('listSessions', {}, undefined, '?limit=1')
  await call('getSession', { id })
  await call('followSession', { id }, undefined, '?after=snapshot')
  const turn = String(accepted['turn_id'])
  await call('listTurns', { id }, undefined, '?limit=10')
  await call('listTurns', { id }, undefined, '?format=yaml')
  await call('getTurn', { id, turn }, undefined, '?phase=final')
  await call('getModelRequests', { id, turn })
  await call('renameSession', { id }, { title: 'A session' })
  await call('readLog', { id }, undefined, '?limit=2')
  await call('exportSession', { id })
  await call('trace', { name: turn })
  await call('listProfiles')
  await call('forkSession', { id }, { turn_id: turn, session_id: 'fork' })
  await call('cancelInference', { id })
  await call('createTicket', {}, { session_id: id })
  await call('deleteSession', { id: 'fork' })
  await call('getDocument')
  expect([...called].toSorted()).toEqual(operations.operations.map(({ name }) => name).toSorted())
})

test.each<readonly [method: string, path: string, body: object | undefined, status: number]>([
  ['get', '/sessions/none', undefined, 404],
  ['post', '/sessions/none/messages', { prompt: 3 }, 400],
  ['post', '/sessions', { session_id: '../etc' }, 400],
])('%s %s with %j is refused as the document says', async (method, path, body, status) => {
  const response = await ask(method, path, body)
  const validate = ajv.compile({ $ref: 'api#/components/schemas/Problem' })
  expect([response.status, validate(await response.json()), validate.errors]).toEqual([status, true, null])
  expect(response.headers.get('content-type')).toBe('application/problem+json')
})
