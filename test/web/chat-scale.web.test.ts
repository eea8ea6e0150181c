import { describe, expect, test } from 'vitest'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { beginSession } from '../../src/session/fork.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { assistantText, userText } from '../../src/turns/block.ts'
import { createTurn } from '../../src/turns/turn.ts'
import { answers, say, untilDone } from '../support/chat-page.ts'
import { eagerClient, hasEnded, untilView } from '../support/native-client.ts'
import { startApp, useBrowser, visit } from '../support/web-app.ts'

const firstLoadLimit = 200_000

// A browser beside a whole test run may be late: once more, and it counts.
describe('the chat at scale', { retry: 2 }, () => {
  useBrowser()

  test('loads no more than 200 KB of compressed script before it can be used', async () => {
    await using server = await startApp()
    await using visited = await visit('about:blank')
    const { page } = visited
    const sizes: Promise<number>[] = []
    page.on('requestfinished', (request) => {
      if (request.resourceType() === 'script')
        sizes.push(request.sizes().then(({ responseBodySize }) => responseBodySize))
    })
    await page.goto(server.url)
    await say(page, 'Say hello')
    await answers(page).getByText('hello').waitFor()
    const total = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
    expect(total).toBeGreaterThan(50_000)
    expect(total).toBeLessThan(firstLoadLimit)
  })

  test('has 10,000 messages, and of them those that are looked at', async () => {
    const store = new MemoryStore()
    const blocks = Array.from({ length: 5_000 }, (_, index) => [
      userText(`question ${index}`),
      assistantText(`answer **${index}**\n\n${'and more. '.repeat(index % 40)}`),
    ]).flat()
    await beginSession(store, createTurn(blocks), { id: 'long', tenant: '' })
    await using server = await startApp({ store })
    await using visited = await visit(`${server.url}/c/long`)
    const { page, faults } = visited
    await answers(page).getByText('answer 4999').waitFor()
    expect(await page.getByRole('article').count()).toBeLessThan(60)
    const log = page.getByRole('log')
    await log.press('Home')
    await page.getByRole('article').getByText('question 0', { exact: true }).waitFor()
    await log.press('End')
    await answers(page).getByText('answer 4999').waitFor()
    await say(page, 'Say the last one')
    await answers(page).getByText('the last one').waitFor()
    await untilDone(page)
    expect(await page.getByRole('article').count()).toBeLessThan(60)
    expect(faults).toEqual([])
  })

  test('asks for earlier messages on the way up, and what is read stays where it is', async () => {
    const profiles = [{ slug: 'default', model: scripted({ pace: 0 }) }] as const
    await using server = await startApp({ profiles })
    const client = eagerClient(server.url)
    const session = await client.create()
    const ended = untilView(session, hasEnded(120))
    for (let index = 0; index < 120; index += 1) await session.send(`Say number ${index}`)
    await ended
    client.close()
    await using visited = await visit(`${server.url}/c/${session.id}`)
    const { page, faults } = visited
    await answers(page).getByText('number 119').waitFor()
    const log = page.getByRole('log')
    const height = () => log.evaluate((element) => element.scrollHeight)
    const known = await height()
    // The page before is held back until all that is to be seen has come to rest.
    const held = Promise.withResolvers<void>()
    await page.route(/\?before=/, async (route) => {
      await held.promise
      await route.continue()
    })
    await log.evaluate((element) => element.scrollTo(0, 300))
    // What stood at the end is gone before what is read now is chosen.
    await answers(page).getByText('number 119', { exact: true }).waitFor({ state: 'detached' })
    const read = answers(page).nth(3)
    await read.hover() // waits until it stands still
    const text = (await read.textContent()) ?? ''
    const place = async () => (await answers(page).getByText(text, { exact: true }).boundingBox())?.y ?? 0
    const before = await place()
    held.resolve()
    await expect.poll(height).toBeGreaterThan(known + 1_000)
    expect(Math.abs((await place()) - before)).toBeLessThan(3)
    const first = answers(page).getByText('number 0', { exact: true })
    await log.hover()
    await expect
      .poll(
        async () => {
          await page.mouse.wheel(0, -4_000)
          return first.isVisible()
        },
        { timeout: 20_000 },
      )
      .toBe(true)
    expect(faults).toEqual([])
  })
})
