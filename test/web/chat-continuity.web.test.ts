import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { startServer } from '../support/server-process.ts'
import { answers, composer, say, untilDone } from '../support/chat-page.ts'
import { anotherTab, startApp, useBrowser, visit } from '../support/web-app.ts'

// Whatever happens between a page and its server, the page ends as if nothing had.

const heading = (page: Page) => page.getByRole('heading', { name: 'The Puppet Who Kept the Ledger' })
const end = (page: Page) => answers(page).getByText('write it down, then show it')
const slow = [{ slug: 'default', model: scripted({ pace: 150 }) }] as const

/** What the conversation says, without what depends on where one looks. */
async function shown(page: Page): Promise<readonly string[]> {
  return page.getByRole('article').allTextContents()
}

// A browser beside a whole test run may be late: once more, and it counts.
describe('the chat goes on', { retry: 2 }, () => {
  useBrowser()

  test('after a reload in the middle of an answer, with what was half written', async () => {
    await using server = await startApp({ profiles: slow })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'Tell me a long story.')
    await heading(page).waitFor()
    await composer(page).fill('not sent yet')
    await page.reload()
    await heading(page).waitFor()
    expect(await composer(page).inputValue()).toBe('not sent yet')
    await end(page).waitFor({ timeout: 20_000 })
    await untilDone(page)
    expect(await answers(page).count()).toBe(1)
    const before = await shown(page)
    await page.reload()
    await untilDone(page)
    expect(await shown(page)).toEqual(before)
    expect(faults).toEqual([])
  })

  test('in a second tab, and each sees what the other says', async () => {
    await using server = await startApp({ profiles: slow })
    await using one = await visit(server.url)
    await say(one.page, 'Tell me a long story.')
    await heading(one.page).waitFor()
    await using two = await anotherTab(one)
    await heading(two.page).waitFor()
    await two.page.getByRole('button', { name: 'Stop' }).click()
    await one.page.getByText('Stopped: stopped by hand').waitFor()
    await say(two.page, 'Say seen')
    await answers(one.page).getByText('seen').waitFor()
    await Promise.all([untilDone(one.page), untilDone(two.page)])
    expect(await shown(one.page)).toEqual(await shown(two.page))
    expect([...one.faults, ...two.faults]).toEqual([])
  })

  test('in more tabs than a browser has connections to a server', async () => {
    await using server = await startApp()
    await using first = await visit(server.url)
    await say(first.page, 'Say one')
    await untilDone(first.page)
    const tabs = [first]
    for (let count = 0; count < 7; count += 1) tabs.push(await anotherTab(first))
    await say(tabs.at(-1)!.page, 'Say everywhere')
    for (const { page } of tabs) await answers(page).getByText('everywhere').waitFor()
    expect(tabs.flatMap(({ faults }) => faults)).toEqual([])
  })

  test('when its server is killed in the middle of an answer and another one comes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'geppetto-web-'))
    const args = ['--db', join(folder, 'sessions.db'), '--pace', '100', '--log-level', 'error']
    const server = await startServer(args)
    const { port } = new URL(server.url)
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'Tell me a long story.')
    await heading(page).waitFor()
    server.kill('SIGKILL')
    await page.getByText('Connection lost, trying again').waitFor()
    await server.ended
    await using _next = await startServer([...args, '--port', port])
    await end(page).waitFor({ timeout: 25_000 })
    await untilDone(page)
    expect(await answers(page).count()).toBe(1)
    expect(await page.getByText('Connection lost').count()).toBe(0)
    // A browser tells of connections that it could not make; nothing else went wrong.
    expect(faults.filter((fault) => !fault.includes('net::ERR_'))).toEqual([])
    rmSync(folder, { recursive: true })
  })

  test('when the network is away for a while, and says so', async () => {
    await using server = await startApp({ profiles: slow })
    await using visited = await visit(server.url)
    const { page } = visited
    await say(page, 'Say one')
    await untilDone(page)
    await page.context().setOffline(true)
    await page.getByText('No network').waitFor()
    await say(page, 'Say two')
    await page.getByText('Sending…').waitFor()
    await page.context().setOffline(false)
    await answers(page).getByText('two').waitFor()
    await untilDone(page)
    expect(await answers(page).allTextContents()).toEqual(['one', 'two'])
  })
})
