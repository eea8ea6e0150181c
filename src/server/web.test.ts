import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scripted } from '../providers/scripted/engine.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { GeppettoServer } from './server.ts'
import { webApp } from './web.ts'

let folder: string
const html = '<html data-base=""><script src="./assets/app-1.js"></script></html>'

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'geppetto-web-'))
  mkdirSync(join(folder, 'assets'))
  writeFileSync(join(folder, 'index.html'), html)
  writeFileSync(join(folder, 'assets/app-1.js'), 'go()')
  writeFileSync(join(folder, 'secret.txt'), 'secret')
})
afterAll(() => rmSync(folder, { recursive: true }))

async function get(path: string, { root = '', ...headers }: Record<string, string> = {}): Promise<Response> {
  const server = await GeppettoServer.open({
    store: new MemoryStore(),
    profiles: [{ slug: 'default', model: scripted() }],
    authenticate: async () => undefined,
    root,
    pages: webApp({ root, folder }),
  })
  const response = await server.fetch(new Request(`http://localhost${path}`, { headers }))
  await server.stop()
  return response
}

describe('the web app', () => {
  test.each(['/', '/c/some-session', '/inspect', '/inspect/s/turn/t', '/design'])('%s is its page', async (path) => {
    const response = await get(path)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await response.text()).toBe(html.replace('./', '/'))
  })

  test('its page may be come to from anywhere, and asks for nothing but itself', async () => {
    expect((await get('/', { 'sec-fetch-site': 'cross-site' })).status).toBe(200)
    expect((await get('/api/sessions', { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await get('/api/sessions')).status).toBe(401)
  })

  test('under a prefix, the page knows it', async () => {
    expect((await get('/', { root: '/chat' })).status).toBe(401)
    const response = await get('/chat/c/s', { root: '/chat' })
    expect(await response.text()).toBe('<html data-base="/chat"><script src="/chat/assets/app-1.js"></script></html>')
    expect(await (await get('/chat/assets/app-1.js', { root: '/chat' })).text()).toBe('go()')
  })

  test.each([
    ['br', 'gzip, deflate, br, zstd', brotliDecompressSync],
    ['gzip', 'gzip, deflate', gunzipSync],
  ])('its files come as %s, for ever', async (encoding, accepted, decompress) => {
    const response = await get('/assets/app-1.js', { 'accept-encoding': accepted })
    expect(response.headers.get('content-encoding')).toBe(encoding)
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(decompress(Buffer.from(await response.arrayBuffer())).toString()).toBe('go()')
  })

  test.each([
    '/secret.txt',
    '/assets/app-2.js',
    '/assets/../secret.txt',
    '/assets/%2e%2e/secret.txt',
    '/c/a/b',
    '/other',
  ])('%s is none of it', async (path) => {
    expect((await get(path)).status).toBe(401)
  })

  test('says so where it was not built', async () => {
    const answer = await webApp({ folder: join(folder, 'nothing') })('/', new Request('http://localhost/'))
    expect(answer?.status).toBe(404)
    expect(await answer?.text()).toContain('npm run build')
  })
})
