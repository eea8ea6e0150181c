import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { checkUrl, guardedLookup, type NetworkPolicy } from './address-guard.ts'
import { postForStream } from './transport.ts'

const servers: { close(): void }[] = []
afterAll(() => servers.forEach((server) => server.close()))

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}` // a server on a port has an AddressInfo
}

const open: NetworkPolicy = { allowHttp: true, allowPrivate: true }
const post = (url: string, network: NetworkPolicy = open, signal = new AbortController().signal) =>
  postForStream('test', url, {}, '{}', { signal, network })

describe('the address guard', () => {
  const closed: NetworkPolicy = {}
  test.each([
    'https://127.0.0.1/v1',
    'https://127.1/v1',
    'https://2130706433/v1',
    'https://0x7f000001/v1',
    'https://[::1]/v1',
    'https://[::ffff:127.0.0.1]/v1',
    'https://[::ffff:7f00:1]/v1',
    'https://10.1.2.3/v1',
    'https://172.31.0.1/v1',
    'https://192.168.1.1/v1',
    'https://169.254.169.254/latest/meta-data',
    'https://[fd00::1]/v1',
    'https://[fe80::1]/v1',
    'https://localhost/v1',
    'https://localhost./v1',
    'https://printer.local/v1',
    'https://api.localhost/v1',
    'http://api.openai.com/v1',
    'ftp://api.openai.com/v1',
    'file:///etc/passwd',
    'https://user:secret@api.openai.com/v1',
    'https://0.0.0.0/v1',
    'https://224.0.0.1/v1',
  ])('%s is refused', (url) => {
    expect(() => checkUrl(new URL(url), closed)).toThrow(
      expect.objectContaining({ code: 'PROVIDER_ADDRESS_REFUSED' }) as Error,
    )
  })

  test.each(['https://api.openai.com/v1', 'https://8.8.8.8/v1', 'https://[2606:4700::1111]/v1'])(
    '%s is allowed',
    (url) => {
      expect(() => checkUrl(new URL(url), closed)).not.toThrow()
    },
  )

  test.each(['http://localhost:11434/v1', 'http://192.168.1.1/v1', 'http://[::1]:8080/v1'])(
    '%s is allowed where the profile says so',
    (url) => {
      expect(() => checkUrl(new URL(url), open)).not.toThrow()
    },
  )

  test.each(['http://0.0.0.0/v1', 'http://[::]/v1', 'http://255.255.255.255/v1'])(
    '%s is refused by every policy',
    (url) => {
      expect(() => checkUrl(new URL(url), open)).toThrow('no server can be there')
    },
  )

  test('a name that resolves to a private address is refused when it is looked up', async () => {
    const look = (policy: NetworkPolicy) =>
      new Promise((resolve) =>
        guardedLookup(policy)('localhost', { all: true }, (error, addresses) => resolve(error ?? addresses)),
      )
    expect(await look(closed)).toMatchObject({ code: 'PROVIDER_ADDRESS_REFUSED' })
    expect(await look(open)).toEqual(expect.arrayContaining([expect.objectContaining({ address: '127.0.0.1' })]))
  })

  test('a refused address is not connected to', async () => {
    let requests = 0
    const url = await serve((_request, response) => {
      requests += 1
      response.end()
    })
    await expect(post(url, { allowHttp: true })).rejects.toMatchObject({ code: 'PROVIDER_ADDRESS_REFUSED' })
    expect(requests).toBe(0)
  })
})

describe('a request over the network', () => {
  test('gives the stream and the request id', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'request-id': 'req-7' })
      response.end('data: {}\n\n')
    })
    const reply = await post(url)
    expect(reply.requestId).toBe('req-7')
    expect(await new Response(reply.body).text()).toBe('data: {}\n\n')
  })

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('a stream that comes as %s, though nobody asked for that, is read', async (encoding, compress) => {
    const asked: unknown[] = []
    const url = await serve(({ headers }, response) => {
      asked.push(headers['accept-encoding'], headers['user-agent'])
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': encoding })
      response.end(compress('data: {}\n\n'))
    })
    const reply = await post(url)
    expect(await new Response(reply.body).text()).toBe('data: {}\n\n')
    expect(asked).toEqual(['identity', 'geppetto'])
  })

  test('a compressed stream that breaks off says so', async () => {
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
      response.write(gzipSync('data: {}\n\n').subarray(0, 12), () => response.destroy())
    })
    const reply = await post(url)
    await expect(new Response(reply.body).text()).rejects.toBeInstanceOf(Error)
  })

  test('a redirect is not followed', async () => {
    const target = await serve((_request, response) => response.end('data: {}\n\n'))
    const url = await serve((_request, response) => response.writeHead(307, { location: target }).end())
    await expect(post(url)).rejects.toMatchObject({ code: 'PROVIDER_HTTP', details: { status: 307 } })
  })

  test('a closed port says which host cannot be reached and why', async () => {
    const url = await serve(() => {})
    servers.pop()?.close()
    await expect(post(url)).rejects.toMatchObject({
      code: 'PROVIDER_UNREACHABLE',
      message: expect.stringMatching(/test cannot be reached at 127\.0\.0\.1:\d+ \(ECONNREFUSED\)/) as unknown,
      details: { retryable: true },
    })
  })

  test('a cancel ends the wait for an answer with the reason that was given', async () => {
    const url = await serve(() => {})
    const abort = new AbortController()
    const waiting = post(url, open, abort.signal)
    abort.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  test('a reader who rests holds the server up, and misses nothing', async () => {
    const total = 32 * 1024 * 1024
    let hasSent = false
    const url = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(Buffer.alloc(total), () => {
        hasSent = true
      })
      response.end()
    })
    const { body } = await post(url)
    const chunks = body[Symbol.asyncIterator]()
    let length = (await chunks.next()).value?.length ?? 0
    for (let turn = 0; turn < 2_000; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(hasSent).toBe(false)
    for (let step = await chunks.next(); step.done !== true; step = await chunks.next()) length += step.value.length
    expect([length, hasSent]).toEqual([total, true])
  })

  test.each([
    ['who stops reading', async (_abort: AbortController, chunks: AsyncIterator<Uint8Array>) => chunks.return?.()],
    ['who cancels', async (abort: AbortController) => abort.abort(new Error('enough'))],
  ])('%s gives the connection up', async (who, leave) => {
    const closed = Promise.withResolvers<void>()
    const url = await serve((_request, response) => {
      response.on('close', closed.resolve)
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n')
    })
    const abort = new AbortController()
    const { body } = await post(url, open, abort.signal)
    const chunks = body[Symbol.asyncIterator]()
    await chunks.next()
    await leave(abort, chunks)
    await closed.promise
    if (who === 'who cancels') await expect(chunks.next()).rejects.toThrow('enough')
    else expect(await chunks.next()).toEqual({ done: true, value: undefined })
  })

  test('a cancel while it connects is heard at once', async () => {
    const url = await serve((_request, response) => void response.write('never read'))
    const abort = new AbortController()
    const waiting = post(url, open, abort.signal)
    queueMicrotask(() => abort.abort(new Error('enough')))
    await expect(waiting).rejects.toThrow('enough')
  })

  test('a key with a line break is wrong settings, and is not said', async () => {
    const options = { signal: new AbortController().signal, network: open }
    const asked = postForStream('test', await serve(() => {}), { authorization: 'Bearer sk-1\nx' }, '{}', options)
    const error: unknown = await asked.catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringMatching(/authorization header/) as unknown,
    })
    expect(String(error)).not.toContain('sk-1')
  })

  test('an address that is none is wrong settings', async () => {
    await expect(post('not an address')).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
  })
})
