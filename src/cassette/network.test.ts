import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { chunk, stream } from '../../test/support/chat-replies.ts'
import { recordAndReplay, type Shown } from '../../test/support/cassettes.ts'
import { createEngine } from '../providers/factory.ts'
import { encodeError } from './recorded-error.ts'
import type { Cassette } from './cassette.ts'

const network = { allowHttp: true, allowPrivate: true }

/** What a run on a real server of this kind says, recorded and replayed. */
async function over(behave: (response: ServerResponse, request: number) => void) {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    const number = requests
    request.resume().on('end', () => behave(response, number))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // it listens on a port
  const baseUrl = `http://127.0.0.1:${port}/v1`
  const engine = ({ fetch }: Cassette) => createEngine('openai', { apiKey: 'sk-canary-4711', baseUrl, network, fetch })
  try {
    return { ...(await recordAndReplay(engine, { network })), requests }
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

/** An error of the network also carries its socket; a cassette keeps what it says, and the causes of it. */
function said({ error, ...shown }: Shown) {
  return { ...shown, error: error === undefined ? undefined : encodeError(error) }
}

const open = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' })

test('A connection that is reset in the middle of the stream breaks at the same place again', async () => {
  const { recorded, replayed, text } = await over((response) => {
    open(response).write(stream([chunk({ content: 'Hel' })], false), () => response.destroy())
  })
  expect(recorded.error).toMatchObject({ code: 'PROVIDER_STREAM_TRUNCATED' })
  expect(recorded.turn).toContain('Hel')
  expect(text).toContain('"type":"reply-error"')
  expect(said(replayed)).toEqual(said(recorded))
})

test('A 429 and the answer to the second try come again', async () => {
  const { recorded, replayed, requests } = await over((response, number) => {
    if (number === 1) response.writeHead(429, { 'retry-after': '1', 'content-type': 'application/json' }).end('{}')
    else open(response).end(stream([chunk({ content: 'Hello' }), chunk({}, 'stop')]))
  })
  expect(requests).toBe(2)
  expect(recorded.events).toContain('"retry_in_ms":1000')
  expect(recorded.turn).toContain('Hello')
  expect(said(replayed)).toEqual(said(recorded))
})

test('A server that closes without an answer is unreachable again', async () => {
  const { recorded, replayed } = await over((response) => void response.destroy())
  expect(recorded.error).toMatchObject({ code: 'PROVIDER_UNREACHABLE' })
  expect(said(replayed)).toEqual(said(recorded))
})
