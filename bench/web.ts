// What the web app costs in a browser: `npm run build`, then `npm run bench:web`. It needs Chromium.
import { beginSession } from '../src/session/fork.ts'
import { scripted } from '../src/providers/scripted/engine.ts'
import { listen } from '../src/server/node.ts'
import { GeppettoServer } from '../src/server/server.ts'
import { webApp } from '../src/server/web.ts'
import { MemoryStore } from '../src/store/memory-store.ts'
import { assistantText, userText } from '../src/turns/block.ts'
import { createTurn } from '../src/turns/turn.ts'
import { launchBrowser } from '../test/support/browser.ts'
import type { CDPSession, Page } from 'playwright-core'

const tokensPerSecond = 200
const tokens = 2_000

const words = Array.from({ length: tokens }, (_, index) => (index % 40 === 39 ? `**${index}**.\n\n` : `word${index} `))
const script = `
- when: stream
  reply:
    - text: ${JSON.stringify(words.join(''))}
- reply:
    - text: Hello.
`
const store = new MemoryStore()
for (const count of [2_000, 10_000]) {
  const blocks = Array.from({ length: count / 2 }, (_, index) => [
    userText(`Question ${index}, of some length, as people ask them.`),
    assistantText(`Answer **${index}**\n\n- with a list\n- of two\n\n${'And with more text. '.repeat(index % 30)}`),
  ])
  await beginSession(store, createTurn(blocks.flat()), { id: `with-${count}`, tenant: '' })
}
const geppetto = await GeppettoServer.open({
  store,
  profiles: [{ slug: 'default', model: scripted({ script, pace: tokensPerSecond }) }],
  pages: webApp(),
})
const server = await listen(geppetto, { port: 0 })
const browser = await launchBrowser()

const figures = [await firstLoad(), await streaming(), await memory()]
console.log(figures.join('\n'))
await browser.close()
await server.close()

/** How much script comes before the first prompt, and when a prompt can be written. */
async function firstLoad(): Promise<string> {
  const times: number[] = []
  let scriptBytes = 0
  for (let round = 0; round < 5; round += 1) {
    const context = await browser.newContext()
    const page = await context.newPage()
    const sizes: Promise<number>[] = []
    page.on('requestfinished', (request) => {
      if (request.resourceType() === 'script') sizes.push(request.sizes().then((size) => size.responseBodySize))
    })
    await page.goto(server.url)
    await page.getByRole('textbox', { name: 'Message' }).waitFor()
    times.push(await page.evaluate<number>('performance.now()'))
    scriptBytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    await context.close()
  }
  const ms = times.toSorted((one, other) => one - other)[2] ?? 0
  return `first load: ${(scriptBytes / 1000).toFixed(0)} KB of compressed script, a prompt can be written after ${ms.toFixed(0)} ms`
}

/** What a token costs the page's main thread while an answer streams into a long session. */
async function streaming(): Promise<string> {
  const { page, devtools } = await open('with-2000')
  const before = await busySeconds(devtools)
  await page.getByRole('textbox', { name: 'Message' }).fill('stream')
  await page.getByRole('textbox', { name: 'Message' }).press('Enter')
  await page.getByRole('button', { name: 'Ask again' }).waitFor({ timeout: 60_000 })
  const ms = ((await busySeconds(devtools)) - before) * 1000
  return `streaming at ${tokensPerSecond} tokens a second into 2,000 messages: ${(ms / tokens).toFixed(2)} ms of the main thread a token`
}

/** What the page holds with 10,000 messages, from one end to the other. */
async function memory(): Promise<string> {
  const { page, devtools } = await open('with-10000')
  const log = page.getByRole('log')
  await log.press('Home')
  await page.getByText('Answer 0').waitFor()
  await log.press('End')
  await page.getByText('Answer 4999').waitFor()
  await devtools.send('HeapProfiler.enable')
  await devtools.send('HeapProfiler.collectGarbage')
  const { usedSize } = await devtools.send('Runtime.getHeapUsage')
  return `10,000 messages: ${(usedSize / 1e6).toFixed(0)} MB of heap`
}

async function open(sessionId: string): Promise<{ readonly page: Page; readonly devtools: CDPSession }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } })
  const page = await context.newPage()
  const devtools = await context.newCDPSession(page)
  // In time that the thread was at work, and not in time that the machine was at work on something else.
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' })
  await page.goto(`${server.url}/c/${sessionId}`)
  await page.getByRole('article').last().waitFor()
  return { page, devtools }
}

/** For how long the main thread has been at work: scripts, styles, layout, and all else. */
async function busySeconds(devtools: CDPSession): Promise<number> {
  const { metrics } = await devtools.send('Performance.getMetrics')
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0
}
