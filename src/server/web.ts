import { existsSync, readdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import type { Pages } from './context.ts'

export interface WebAppOptions {
  /** The path that the server lies under, as `/chat`. Default: none. */
  readonly root?: string
  /** The folder of the built app. Default: the one that comes with the package. */
  readonly folder?: string
}

const builtApp = fileURLToPath(new URL('../../dist/web/', import.meta.url))

/** Where the app has pages: a conversation, the inspector, the page of the design system. */
const page = /^\/(?:c\/[^/]+\/?|inspect(?:\/.*)?|design\/?)?$/

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}
/** How files are compressed, the best first. Browsers take the first of these from hosts alone that they trust. */
const encodings: Readonly<Record<string, (bytes: Buffer) => Promise<Buffer>>> = {
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  gzip: (bytes) => promisify(gzip)(bytes, { level: 9 }),
}

/** The web app, for `pages` of a server. Its files are for everybody; what they show is asked for with the caller's token. */
export function webApp({ root = '', folder = builtApp }: WebAppOptions = {}): Pages {
  // What is not listed here is not served, whatever a path looks like.
  const files = new Set(existsSync(folder) ? filesIn(folder) : [])
  const kept = new Map<string, Promise<Buffer<ArrayBuffer>>>()
  /** The file as it is sent, compressed once. */
  const contentOf = (path: string, encoding: string | undefined) => {
    const name = `${encoding ?? 'identity'}:${path}`
    const known = kept.get(name)
    if (known !== undefined) return known
    const read = encodedFile(join(folder, path), encoding)
    read.catch(() => kept.delete(name)) // whoever asked is told
    kept.set(name, read)
    return read
  }
  return async (path, request) => {
    if (page.test(path)) {
      if (!files.has('/index.html'))
        return new Response('The web app is not built here: npm run build.\n', { status: 404 })
      const html = await readFile(join(folder, 'index.html'), 'utf8')
      return new Response(below(root, html), {
        headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
      })
    }
    const type = types[extname(path)]
    if (!files.has(path) || type === undefined) return undefined
    // Under `assets` a name has the hash of what is in it.
    const isHashed = path.startsWith('/assets/')
    const cacheControl = isHashed ? 'public, max-age=31536000, immutable' : 'public, max-age=3600'
    const headers = { 'content-type': type, 'cache-control': cacheControl, vary: 'accept-encoding' }
    const accepted = request.headers.get('accept-encoding') ?? ''
    const encoding = Object.keys(encodings).find((name) => new RegExp(`\\b${name}\\b`).test(accepted))
    const body = await contentOf(path, encoding)
    return new Response(body, { headers: { ...headers, ...(encoding && { 'content-encoding': encoding }) } })
  }
}

function filesIn(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return paths.map((path) => `/${path.slice(folder.length).split(sep).filter(Boolean).join('/')}`)
}

async function encodedFile(path: string, encoding: string | undefined): Promise<Buffer<ArrayBuffer>> {
  const bytes = await readFile(path)
  const encode = encoding === undefined ? undefined : encodings[encoding]
  return encode === undefined ? bytes : Buffer.from(await encode(bytes))
}

/** The page as it must be for a server under a prefix: the app asks `data-base` where it is, its own files it must find before. */
function below(root: string, html: string): string {
  const escaped = root.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
  return html.replace('data-base=""', `data-base="${escaped}"`).replaceAll('="./', `="${escaped}/`)
}
