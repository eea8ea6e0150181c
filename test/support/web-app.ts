import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { scripted } from '../../src/providers/scripted/engine.ts'
import type { ServerOptions } from '../../src/server/server.ts'
import { webApp } from '../../src/server/web.ts'
import { launchBrowser, whyNoBrowser } from './browser.ts'
import { startNativeServer } from './native-client.ts'

const root = join(import.meta.dirname, '../..')

/** Why the app cannot be looked at here; undefined when it can. */
const whyNoApp =
  whyNoBrowser ??
  (existsSync(join(root, 'dist/web/index.html')) ? undefined : 'the web app is not built: npm run build')

/** A page of the app, and what was wrong on it so far: errors, and what the content policy has refused. */
export interface Visit extends AsyncDisposable {
  readonly page: Page
  readonly faults: readonly string[]
}

let browser: Browser | undefined

/** One browser for the tests of a file; without one, or without the app, they are skipped and say why. */
export function useBrowser(): void {
  beforeEach((context) => {
    if (whyNoApp !== undefined) context.skip(whyNoApp)
  })
  beforeAll(async () => {
    if (whyNoApp === undefined) browser = await launchBrowser()
  })
  afterAll(() => browser?.close())
}

/** Opens a page in a browser profile of its own: nobody has been here before. */
export async function visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  if (browser === undefined) throw new Error('call useBrowser() in the file first')
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
  const page = await context.newPage()
  // What does not come in that time does not come: the test says where it waited, before it is ended.
  page.setDefaultTimeout(8_000)
  const faults = watchFaults(page)
  await page.goto(url)
  return { page, faults, [Symbol.asyncDispose]: () => context.close() }
}

/** Another tab of the same person. */
export async function anotherTab({ page }: Visit, url = page.url()): Promise<Visit> {
  const tab = await page.context().newPage()
  const faults = watchFaults(tab)
  await tab.goto(url)
  return { page: tab, faults, [Symbol.asyncDispose]: () => tab.close() }
}

function watchFaults(page: Page): readonly string[] {
  const faults: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text())
  })
  page.on('pageerror', (error) => faults.push(error.message))
  return faults
}

/** What axe finds serious or worse on the page as it is now, in both themes. */
export async function seriousFaults(page: Page): Promise<readonly string[]> {
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    const { violations } = await new AxeBuilder({ page }).analyze()
    for (const { id, impact, nodes } of violations) {
      if (impact !== 'serious' && impact !== 'critical') continue
      found.push(...nodes.map(({ html, failureSummary }) => `${colorScheme}: ${id}: ${html}: ${failureSummary ?? ''}`))
    }
  }
  return found
}

/**
 * Takes the pictures of the documents, where SCREENSHOTS says so: one in each theme. They lie in `docs/screens`.
 */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env['SCREENSHOTS'] === undefined) return
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await page.screenshot({ path: join(root, `docs/screens/${name}-${colorScheme}.png`) })
  }
}

/** A server with the app, by default one that answers by script and keeps nothing. */
export async function startApp(options: Partial<ServerOptions> = {}) {
  const server = await startNativeServer({
    profiles: [{ slug: 'default', model: scripted({ pace: 200 }) }],
    ...options,
    pages: webApp(options.root === undefined ? {} : { root: options.root }),
  })
  return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() })
}
