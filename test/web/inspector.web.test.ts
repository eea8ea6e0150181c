import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { isToken } from '../../src/events/event.ts'
import { calculator } from '../../src/inference/builtin-tools.ts'
import { editTurn, type Middleware } from '../../src/inference/engine.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { parseScript } from '../../src/providers/scripted/script.ts'
import type { Profile } from '../../src/server/profile.ts'
import type { Turn } from '../../src/turns/turn.ts'
import { eagerClient, hasEnded, untilView } from '../support/native-client.ts'
import { say, untilDone } from '../support/chat-page.ts'
import { picture, seriousFaults, startApp, useBrowser, visit } from '../support/web-app.ts'

// The inspector, as a developer uses it in a browser to find out why an answer is as it is.

const quick: Profile = {
  slug: 'quick',
  description: 'Answers at once.',
  model: scripted({ pace: 0 }),
  systemPrompt: 'Be brief.',
  tools: [calculator],
  cost: { input: 3, output: 15, cacheRead: 0.3 },
}
const open: Profile = {
  slug: 'open',
  description: 'Lets people change it.',
  model: scripted({ pace: 0, model: 'scripted-2' }),
  tools: [calculator],
  allowsOverrides: true,
}

/** Drops what was said first, once there is more. */
function trimHistory(turn: Turn): Turn {
  const prompts = turn.blocks.filter(({ kind }) => kind === 'user')
  if (prompts.length < 2) return turn
  return { ...turn, blocks: turn.blocks.filter((block) => block !== prompts[0]) }
}
const forgetful: Profile = {
  ...quick,
  middleware: { 'trim-history': () => editTurn('trim-history', trimHistory) },
  defaultMiddleware: ['trim-history'],
}

/** Has something to say after each word, so that no two of them are one event. */
const countWords: Middleware = (next) =>
  async function* (turn, context) {
    let words = 0
    for await (const event of next(turn, context)) {
      yield event
      if (!isToken(event)) continue
      words += 1
      yield { type: 'info', message: `${words} words` }
    }
  }

/** A server on which a session was asked these things, and all of it answered. */
async function answered(profiles: readonly [Profile, ...Profile[]], prompts: readonly string[]) {
  const server = await startApp({ profiles })
  const client = eagerClient(server.url)
  const session = await client.create({ sessionId: 'asked' })
  for (const prompt of prompts) await session.send(prompt)
  if (prompts.length > 0) await untilView(session, hasEnded(prompts.length))
  client.close()
  return server
}

const option = (page: Page, name: RegExp) => page.getByRole('option', { name })

// Long enough for browser, server and axe on a busy machine: it ends what hangs, and measures nothing.
// A browser beside a whole test run may be late: once more, and it counts.
describe('the inspector', { timeout: 60_000, retry: 2 }, () => {
  useBrowser()

  test('finds the middleware that dropped a block, starting from the chat', async () => {
    await using server = await startApp({ profiles: [forgetful] })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'My name is Ada')
    await untilDone(page)
    await say(page, 'What is my name?')
    await page.getByRole('article', { name: 'Answer' }).nth(1).waitFor()
    await untilDone(page)
    await page.getByRole('link', { name: 'Inspect this answer' }).last().click()

    const touched = page.getByRole('region', { name: 'Who touched what' })
    await touched.getByText('removed 1 block').waitFor()
    await touched.getByRole('button', { name: /trim-history/ }).click()
    await touched.getByText('My name is Ada').waitFor()
    await page.getByRole('tab', { name: 'As sent' }).click()
    await page.getByLabel('Compare with').selectOption({ label: 'Draft' })
    await page.getByText('1 removed').waitFor()
    const requests = page.getByRole('region', { name: 'Requests' })
    await requests.getByText('as it was sent').waitFor()
    await requests.getByRole('button', { name: 'The request' }).click()
    await requests.getByLabel('request', { exact: true }).first().waitFor()
    expect(await requests.getByLabel('request', { exact: true }).first().textContent()).not.toContain(
      '"My name is Ada"',
    )
    await picture(page, 'inspector-turn')
    expect(await seriousFaults(page)).toEqual([])

    await page.getByRole('link', { name: 'Its inference' }).click()
    await page.getByRole('region', { name: 'Usage and cost' }).getByText('adds up').waitFor()
    await page.getByText(/First change at .*block 1, removed by trim-history/).waitFor()
    await picture(page, 'inspector-inference')
    expect(await seriousFaults(page)).toEqual([])
    expect(faults).toEqual([])
  })

  test('follows a session that runs, holds still when told to, and keeps what is selected in the address', async () => {
    await using server = await answered([{ ...quick, model: scripted({ pace: 100 }) }], ['What is 17 * 23?'])
    const client = eagerClient(server.url)
    await using visited = await visit(`${server.url}/inspect/asked`)
    const { page, faults } = visited
    const counts = page.getByTestId('counts')
    await counts.getByText('1 turn ·').waitFor()
    await client.session('asked').send('Tell me a long story.')
    await page.getByText('running', { exact: true }).waitFor()
    await counts.getByText('2 turns ·').waitFor()
    await page.getByRole('button', { name: 'Following' }).click()
    await page.getByRole('button', { name: /^[1-9]\d* new$/ }).waitFor()
    const held = await counts.textContent()
    await untilView(client.session('asked'), hasEnded(2))
    expect(await counts.textContent()).toBe(held)
    await page.getByRole('button', { name: / new$/ }).click()
    await page.getByText('at rest').waitFor()
    client.close()

    await option(page, /tool-call-requested calculator/).click()
    const detail = page.getByRole('region', { name: /^Event \d+$/ })
    await detail.getByRole('heading', { name: 'tool-call-requested' }).waitFor()
    await page.getByRole('button', { name: 'Zoom in' }).click()
    expect(page.url()).toMatch(/at=.*span=/)
    await page.reload()
    await detail.getByRole('heading', { name: 'tool-call-requested' }).waitFor()
    await page.getByRole('button', { name: 'All of it' }).waitFor()
    await picture(page, 'inspector-overview')
    expect(await seriousFaults(page)).toEqual([])

    await page.getByRole('listbox', { name: 'Events' }).press('ArrowDown')
    await detail.getByRole('heading', { name: 'provider-call-finished' }).waitFor()
    await page.getByRole('searchbox', { name: 'Search events' }).fill('391')
    await option(page, /tool-result-ready/).waitFor()
    await option(page, /phase-reached/).waitFor({ state: 'detached' })
    expect(faults).toEqual([])
  })

  test('shows what its rules find, and where', async () => {
    const careless = (turn: Turn): Turn => ({ ...turn, metadata: { ...turn.metadata, 'geppetto.trace_id@v1': 5 } })
    const middleware = { careless: () => editTurn('careless', careless) }
    await using server = await answered([{ ...quick, middleware, defaultMiddleware: ['careless'] }], ['Say hello'])
    await using visited = await visit(`${server.url}/inspect/asked`)
    const { page, faults } = visited
    const anomalies = page.getByRole('region', { name: 'Anomalies' })
    await anomalies.getByRole('button', { name: '1 anomaly' }).click()
    expect(await seriousFaults(page)).toEqual([])
    await anomalies.getByRole('button', { name: /schema error.*trace_id/ }).click()
    await page.getByRole('heading', { name: 'turn-edited' }).waitFor()
    expect(faults).toEqual([])
  })

  test('leads from any id to where it is told of', async () => {
    await using server = await answered([quick], ['What is 17 * 23?'])
    await using visited = await visit(`${server.url}/inspect`)
    const { page, faults } = visited
    await page.getByRole('link', { name: /What is 17/ }).waitFor()
    await picture(page, 'inspector-home')
    expect(await seriousFaults(page)).toEqual([])
    await page.getByRole('textbox', { name: 'Find any id' }).fill('call_1')
    await page.getByRole('textbox', { name: 'Find any id' }).press('Enter')
    await page.getByRole('heading', { name: 'tool-call-started' }).waitFor()
    await page.getByRole('link', { name: 'The turn', exact: true }).click()
    await page.getByRole('heading', { name: 'Turn 1' }).waitFor()
    await page.getByRole('textbox', { name: 'Find any id' }).fill('nobody')
    await page.getByRole('textbox', { name: 'Find any id' }).press('Enter')
    await page.getByRole('alert').getByText('Nothing here has the id nobody.').waitFor()
    // Chromium itself tells of an answer that is a refusal.
    expect(faults.filter((fault) => !fault.includes('404'))).toEqual([])
  })

  test('asks again elsewhere, with another prompt and without a tool, and compares the two', async () => {
    await using server = await answered([quick, open], ['What is 17 * 23?'])
    await using visited = await visit(`${server.url}/inspect/asked`)
    const { page, faults } = visited
    await page.getByRole('link', { name: 'Turns' }).click()
    await page.getByRole('button', { name: 'Ask again elsewhere' }).click()
    const dialog = page.getByRole('dialog', { name: 'Ask again elsewhere' })
    await dialog.getByRole('radio', { name: /^open/ }).check()
    await dialog.getByRole('textbox', { name: 'System prompt' }).fill('Guess.')
    await dialog.getByRole('checkbox', { name: 'calculator' }).uncheck()
    expect(await seriousFaults(page)).toEqual([])
    await dialog.getByRole('button', { name: 'Fork and compare' }).click()

    const [left, right] = [
      page.getByRole('region', { name: 'Left turn' }),
      page.getByRole('region', { name: 'Right turn' }),
    ]
    await left.getByText('calls calculator').waitFor()
    await right.getByText('finished').waitFor()
    await right.getByText('scripted-2').waitFor()
    expect(await right.getByText('calls calculator').count()).toBe(0)
    await picture(page, 'inspector-compare')
    expect(await seriousFaults(page)).toEqual([])
    await page.getByRole('tab', { name: 'Block by block' }).click()
    await page.getByLabel('Changes of system').getByText('Guess.').waitFor()
    await page.getByRole('tab', { name: 'Side by side' }).click()
    await page.getByRole('combobox', { name: 'Left phase' }).selectOption('As sent 1')
    await left.getByText('calls calculator').waitFor({ state: 'detached' })
    expect(page.url()).toContain('as_sent')
    expect(await seriousFaults(page)).toEqual([])
    expect(faults).toEqual([])
  })

  test('holds a run, changes the arguments of a call and a block, and lets it go on', async () => {
    await using server = await answered([quick], ['Say hello'])
    await using visited = await visit(`${server.url}/inspect/asked/debug`)
    const { page, faults } = visited
    await page.getByRole('checkbox', { name: 'after it asked for tools' }).click()
    await page.getByRole('button', { name: 'Let it run' }).waitFor()
    await page.getByRole('textbox', { name: 'Prompt' }).fill('What is 17 * 23?')
    await page.getByRole('button', { name: 'Send' }).click()
    const paused = page.getByRole('region', { name: 'Paused' })
    await paused.getByText('after inference').waitFor()
    await paused.getByRole('textbox', { name: 'Arguments of calculator' }).fill('no JSON')
    await paused.getByText('The arguments cannot be read').waitFor()
    await paused.getByRole('textbox', { name: 'Arguments of calculator' }).fill('{"expression": "1 + 1"}')
    await paused.getByRole('button', { name: 'Edit block 0' }).click()
    await paused.getByRole('textbox', { name: 'Block 0' }).fill('Be wrong.')
    await picture(page, 'inspector-debugger')
    expect(await seriousFaults(page)).toEqual([])
    await paused.getByRole('button', { name: 'Go on with the changes' }).click()
    await paused.waitFor({ state: 'detached' })
    await page.getByLabel('tool result').getByText('2', { exact: true }).waitFor()

    await page.getByRole('link', { name: 'Turns' }).click()
    const touched = page.getByRole('region', { name: 'Who touched what' })
    await touched.getByRole('button', { name: /debugger.*changed 2 blocks/ }).waitFor()
    expect(faults).toEqual([])
  })

  test('gives a session away as a script that a test can play', async () => {
    await using server = await answered([quick], ['What is 17 * 23?'])
    await using visited = await visit(`${server.url}/inspect/asked`)
    const { page, faults } = visited
    const saved = async (name: string | RegExp) => {
      await page.getByRole('button', { name: 'Export' }).click()
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name }).click(),
      ])
      return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') }
    }
    await page.getByText('1 turn ·').waitFor()
    const script = await saved(/A script/)
    expect(script.name).toBe('asked.script.yaml')
    expect(parseScript(script.text).map(({ toolResult }) => toolResult)).toEqual([undefined, 'calculator'])
    const session = await saved(/The session/)
    expect(session.text.split('\n')[0]).toContain('geppetto-session')
    expect(faults).toEqual([])
  })

  test('stays small with more than 5,000 events, on a phone too', async () => {
    await using server = await answered(
      [{ ...quick, middleware: { 'count-words': () => countWords }, defaultMiddleware: ['count-words'] }],
      Array.from({ length: 8 }, () => 'Tell me a long story.'),
    )
    await using visited = await visit(`${server.url}/inspect/asked?groups=delta,session,inference,text`, {
      viewport: { width: 390, height: 844 },
    })
    const { page, faults } = visited
    await page.getByText(/^8 turns · [5-9],\d{3} events$/).waitFor({ timeout: 20_000 })
    const list = page.getByRole('listbox', { name: 'Events' })
    expect(await list.getByRole('option').count()).toBeLessThan(80)
    expect(await page.locator('svg[role=img] rect').count()).toBeLessThan(400)
    await list.press('End')
    await page.getByRole('region', { name: /^Event [5-9]\d{3}$/ }).waitFor()
    const isWiderThanScreen = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
    expect(isWiderThanScreen).toBe(false)
    expect(await seriousFaults(page)).toEqual([])
    expect(faults).toEqual([])
  })
})
