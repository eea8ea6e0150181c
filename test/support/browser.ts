import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium, type Browser, type Page } from 'playwright-core'
import { rolldown } from 'rolldown'

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'

/** Why no browser can be had here; undefined when one can. */
export const whyNoBrowser = existsSync(executablePath)
  ? undefined
  : `there is no Chromium at ${executablePath}: apt-get install chromium, or set CHROMIUM`

/** As root, which containers run as, Chromium starts without its sandbox only. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

export interface BrowserPage extends AsyncDisposable {
  readonly page: Page
  /** Of the page: an origin of its own, so a server has to allow it. */
  readonly origin: string
}

/** Makes one file for a browser of a module and all that it needs. */
export async function bundleForBrowser(input: string): Promise<string> {
  const bundle = await rolldown({ input, platform: 'browser' })
  const { output } = await bundle.generate({ format: 'esm', minify: true })
  await bundle.close()
  return output[0].code
}

/** Opens an empty page in Debian's Chromium; what `script` exports is there as `globalThis.exported`. */
export async function openPage(script: string): Promise<BrowserPage> {
  const pages: Readonly<Record<string, readonly [type: string, text: string]>> = {
    '/': [
      'text/html',
      `<!doctype html><script type="module">import * as all from './module.js'; globalThis.exported = all</script>`,
    ],
    '/module.js': ['text/javascript', script],
  }
  const server = createServer((request, response) => {
    const [type, text] = pages[request.url ?? ''] ?? ['text/plain', '']
    response.writeHead(200, { 'content-type': type }).end(text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // it listens on a port
  const browser = await launchBrowser()
  const page = await browser.newPage()
  await page.goto(origin)
  await page.waitForFunction(() => 'exported' in globalThis)
  return {
    page,
    origin,
    async [Symbol.asyncDispose]() {
      await browser.close()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
