import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { calculator } from '../../src/inference/builtin-tools.ts'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { testTool } from '../support/runs.ts'
import { picture, seriousFaults, startApp, useBrowser, visit } from '../support/web-app.ts'

// The chat, as a person uses it in a browser, on a server that listens.

const composer = (page: Page) => page.getByRole('textbox', { name: 'Message' })
const answers = (page: Page) => page.getByRole('article', { name: 'Answer' })

async function say(page: Page, prompt: string): Promise<void> {
  await composer(page).fill(prompt)
  await composer(page).press('Enter')
}

/** Waits until nothing is being written. */
async function untilDone(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Ask again' }).last().waitFor()
  await page.getByText('No answer is being written').waitFor({ state: 'attached' })
}

describe('the chat', () => {
  useBrowser()

  test('from the first visit to the first answer', async () => {
    await using server = await startApp()
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await page.getByText('No conversations yet.').waitFor()
    await picture(page, 'new-conversation')
    expect(await seriousFaults(page)).toEqual([])
    await say(page, 'Say hello, world')
    await answers(page).getByText('hello, world').waitFor()
    await untilDone(page)
    await page.getByRole('link', { name: 'Say hello, world' }).waitFor()
    expect(await page.title()).toBe('Say hello, world · Geppetto')
    expect(await seriousFaults(page)).toEqual([])
    expect(faults).toEqual([])
  })

  test('an answer with reasoning and tools, formatted as it streams', async () => {
    await using server = await startApp({
      profiles: [{ slug: 'default', model: scripted({ pace: 400 }), tools: [calculator] }],
    })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'What is 17 * 23?')
    await untilDone(page)
    await page.getByRole('button', { name: 'Thought' }).first().click()
    await page.getByText('I am bad at arithmetic').waitFor()
    const card = page.getByRole('region', { name: 'Tool calculator' })
    await card.getByRole('button', { name: 'calculator' }).click()
    await card.getByLabel('arguments').getByText('17 * 23').waitFor()
    await card.getByLabel('result').first().getByText('391').waitFor()
    await say(page, 'Show me some markdown')
    await page.getByRole('heading', { name: 'Markdown' }).waitFor()
    await untilDone(page)
    await page.getByRole('table').getByRole('cell', { name: 'a', exact: true }).waitFor()
    await page.locator('.hljs-attr').first().waitFor()
    await page.getByRole('button', { name: /in · .* out/ }).last().click()
    await page.getByRole('button', { name: /^Copy inference/ }).waitFor()
    await picture(page, 'conversation')
    expect(await seriousFaults(page)).toEqual([])
    expect(faults).toEqual([])
  })

  test('an answer is stopped, and the next prompt waits for one that runs', async () => {
    await using server = await startApp({ profiles: [{ slug: 'default', model: scripted({ pace: 30 }) }] })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'Tell me a long story.')
    await page.getByRole('heading', { name: 'The Puppet Who Kept the Ledger' }).waitFor()
    await say(page, 'Say next')
    await page.getByText('Queued').waitFor()
    await composer(page).press('Escape')
    await page.getByText('Stopped: stopped by hand').waitFor()
    await answers(page).getByText('next').waitFor()
    await untilDone(page)
    expect(await seriousFaults(page)).toEqual([])
    expect(faults).toEqual([])
  })

  test('a call waits for somebody, who changes its arguments', async () => {
    const paid: unknown[] = []
    const pay = testTool('pay', (input) => (paid.push(input), 'paid'), { needsApproval: () => true })
    await using server = await startApp({
      profiles: [{ slug: 'default', model: scripted({ pace: 0 }), tools: [pay] }],
    })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'call pay {"to": "Ada", "amount": 500}')
    const card = page.getByRole('region', { name: 'Tool pay' })
    const input = card.getByRole('textbox', { name: 'Arguments' })
    await input.waitFor()
    await picture(page, 'approval')
    expect(await seriousFaults(page)).toEqual([])
    await input.fill('{"to": "Ada", "amount"')
    await card.getByRole('button', { name: 'Allow' }).click()
    await card.getByText('The arguments must be a JSON object.').waitFor()
    await input.fill('{"to": "Ada", "amount": 5}')
    await card.getByRole('button', { name: 'Allow with these arguments' }).click()
    await answers(page).getByText('paid').waitFor()
    expect(paid).toEqual([{ to: 'Ada', amount: 5 }])
    await card.getByText('approved by').waitFor()
    await say(page, 'call pay {"to": "Eve"}')
    await page.getByLabel('What the model is told when you deny').fill('not her')
    await page.getByRole('button', { name: 'Deny' }).click()
    await answers(page).getByText('not her').waitFor()
    expect(paid).toHaveLength(1)
    expect(faults).toEqual([])
  })

  test('a message is asked differently, and both versions stay', async () => {
    await using server = await startApp()
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'Say one')
    await untilDone(page)
    await say(page, 'Say two')
    await answers(page).getByText('two').waitFor()
    await untilDone(page)
    const first = page.url()
    await page.getByRole('article', { name: 'You' }).last().hover()
    await page.getByRole('button', { name: 'Edit and send again' }).last().click()
    const editor = page.getByRole('textbox', { name: 'Edit message' })
    await editor.fill('Say three')
    await editor.press('Enter')
    await answers(page).getByText('three').waitFor()
    await untilDone(page)
    expect(page.url()).not.toBe(first)
    expect(await answers(page).allTextContents()).toEqual(['one', 'three'])
    await page.getByText('2/2').waitFor()
    expect(await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').count()).toBe(1)
    await page.getByRole('button', { name: 'Version before' }).click()
    await answers(page).getByText('two').waitFor()
    expect(page.url()).toBe(first)
    await page.getByText('1/2').waitFor()
    expect(faults).toEqual([])
  })

  test('on a narrow screen the conversations are in a drawer', async () => {
    await using server = await startApp()
    await using visited = await visit(server.url, { viewport: { width: 360, height: 740 }, hasTouch: true })
    const { page, faults } = visited
    await composer(page).fill('Tell me a long story.')
    await page.getByRole('button', { name: 'Send message' }).tap()
    await untilDone(page)
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    expect(overflow).toBe(0)
    await picture(page, 'narrow')
    await page.getByRole('button', { name: 'Conversations' }).tap()
    await page.getByRole('dialog').getByRole('link', { name: 'Tell me a long story.' }).waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await page.getByRole('dialog').getByRole('link', { name: 'New conversation' }).tap()
    await page.getByText('What is on your mind?').waitFor()
    expect(faults).toEqual([])
  })

  test('by keyboard alone: send, edit the last message, search, rename, delete', async () => {
    await using server = await startApp()
    await using visited = await visit(server.url)
    const { page, faults } = visited
    const { keyboard } = page
    await composer(page).waitFor()
    await keyboard.type('Say one')
    await keyboard.press('Enter')
    await untilDone(page)
    await keyboard.press('ArrowUp')
    await page.getByRole('textbox', { name: 'Edit message' }).waitFor()
    await keyboard.type(' more')
    await keyboard.press('Enter')
    await answers(page).getByText('one more').waitFor()
    await untilDone(page)
    await keyboard.press('Control+k')
    await keyboard.type('nothing like it')
    await page.getByText('No title has these words.').waitFor()
    await keyboard.press('Control+a')
    await keyboard.type('more')
    const link = page.getByRole('link', { name: 'Say one more' })
    await link.waitFor()
    await keyboard.press('Tab')
    expect(await link.evaluate((element) => element === document.activeElement)).toBe(true)
    await keyboard.press('Tab')
    await keyboard.press('Enter')
    await page.getByRole('menuitem', { name: 'Rename' }).waitFor()
    await keyboard.press('Enter')
    const name = page.getByRole('textbox', { name: 'Name' })
    await name.waitFor()
    await keyboard.press('Control+a')
    await keyboard.type('More of it')
    await keyboard.press('Enter')
    await page.getByRole('link', { name: 'More of it' }).waitFor()
    await name.waitFor({ state: 'detached' })
    await keyboard.press('ArrowDown')
    await page.getByRole('menuitem', { name: 'Delete' }).waitFor()
    await keyboard.press('End')
    await keyboard.press('Enter')
    await page.getByRole('dialog').getByRole('button', { name: 'Keep' }).waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).focus()
    await keyboard.press('Enter')
    await page.getByText('What is on your mind?').waitFor()
    expect(faults).toEqual([])
  })
})
