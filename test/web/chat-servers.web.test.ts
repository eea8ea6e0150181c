import { describe, expect, test } from 'vitest'
import { scripted } from '../../src/providers/scripted/engine.ts'
import { staticKeys } from '../../src/server/auth-keys.ts'
import { answers, composer, say, untilDone } from '../support/chat-page.ts'
import { testTool } from '../support/runs.ts'
import { seriousFaults, startApp, useBrowser, visit } from '../support/web-app.ts'

// What a server may be like: under a prefix, closed to strangers, with several who can answer, with answers that fail.

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

// A browser beside a whole test run may be late: once more, and it counts.
describe('the chat', { retry: 2 }, () => {
  useBrowser()

  test('works under a prefix, whichever page is opened first', async () => {
    await using server = await startApp({ root: '/team/chat' })
    await using visited = await visit(`${server.url}/team/chat`)
    const { page, faults } = visited
    await say(page, 'Say here')
    await answers(page).getByText('here').waitFor()
    await untilDone(page)
    expect(page.url()).toMatch(/\/team\/chat\/c\//)
    await page.reload()
    await answers(page).getByText('here').waitFor()
    expect(faults).toEqual([])
  })

  test('asks who it is that asks, where that matters', async () => {
    const key = 'a-key-that-is-long-enough-1234567890'
    await using server = await startApp({
      authenticate: staticKeys([{ key, tenant: 'north', name: 'ada', permissions: ['read', 'write', 'inspect'] }]),
    })
    await using visited = await visit(server.url)
    const { page } = visited
    await page.getByRole('heading', { name: 'Who are you?' }).waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await page.getByLabel('Key or token').fill(key)
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByText('No conversations yet.').waitFor()
    await say(page, 'Say known')
    await answers(page).getByText('known').waitFor()
    await untilDone(page)
  })

  test('lets choose who answers', async () => {
    const answering = (slug: string) => ({
      slug,
      description: `Speaks as ${slug}`,
      model: scripted({ pace: 0, script: `- reply: [{ text: 'I am ${slug}.' }]` }),
    })
    await using server = await startApp({ profiles: [answering('first'), answering('second')] })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'Who?')
    await answers(page).getByText('I am first.').waitFor()
    await untilDone(page)
    await page.getByRole('button', { name: 'Who answers: first' }).click()
    await page.getByRole('menuitemradio', { name: /second/ }).click()
    await say(page, 'Who?')
    await answers(page).getByText('I am second.').waitFor()
    await page.reload()
    await page.getByRole('button', { name: 'Who answers: second' }).waitFor()
    expect(faults).toEqual([])
  })

  test('says why an answer failed, and asks again', async () => {
    let isBroken = true
    const flaky = testTool('flaky', () => (isBroken ? Promise.reject(new Error('out of order')) : 'well'))
    const script = `
- when: fail
  reply: [{ text: Half of }, { fail: { code: PROVIDER_STREAM_ERROR, message: The model is out of order. } }]
- when: call
  reply: [{ tool_call: { name: flaky, args: {} } }]
- tool_result: flaky
  failed: true
  reply: [{ text: 'It said {{error}}' }]
- tool_result: flaky
  reply: [{ text: 'It said {{result}}' }]
`
    await using server = await startApp({
      profiles: [{ slug: 'default', model: scripted({ pace: 0, script }), tools: [flaky] }],
    })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'Please fail')
    await page.getByText('The model is out of order.').waitFor()
    await answers(page).getByText('Half of').waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await say(page, 'call it')
    await page.getByRole('region', { name: 'Tool flaky' }).getByText('out of order').waitFor()
    await untilDone(page)
    isBroken = false
    await page.getByRole('button', { name: 'Ask again' }).last().click()
    await answers(page).getByText('It said well').waitFor()
    expect(faults).toEqual([])
  })

  test('keeps what the server would not take, to be sent again', async () => {
    await using server = await startApp({
      whileRunning: 'refuse',
      profiles: [{ slug: 'default', model: scripted({ pace: 100 }) }],
    })
    await using visited = await visit(server.url)
    const { page } = visited
    await say(page, 'Tell me a long story.')
    await page.getByRole('heading', { name: 'The Puppet Who Kept the Ledger' }).waitFor()
    await say(page, 'Say me too')
    await page.getByText('“Say me too” was not sent').waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    await page.getByText('Stopped: stopped by hand').waitFor()
    await page.getByRole('button', { name: 'Send again', exact: true }).click()
    await answers(page).getByText('me too').waitFor()
  })

  test('waits at each step when it is told to, and goes on when it is told to', async () => {
    const look = testTool('look', () => 'seen')
    await using server = await startApp({
      profiles: [{ slug: 'default', model: scripted({ pace: 0 }), tools: [look] }],
    })
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await say(page, 'Say one')
    await untilDone(page)
    await page.getByRole('button', { name: 'More on this conversation' }).click()
    await page.getByRole('menuitem', { name: 'Pause at each step' }).click()
    await page.getByText('Step by step').waitFor()
    await say(page, 'call look {}')
    const goOn = page.getByRole('button', { name: 'Continue' })
    await page.getByText('Paused, after inference.').waitFor()
    expect(await seriousFaults(page)).toEqual([])
    await goOn.click()
    await page.getByText('Paused, after tools.').waitFor()
    await goOn.click()
    await answers(page).getByText('The tool look answered: seen').waitFor()
    expect(faults).toEqual([])
  })

  test('takes images by choice, by paste and by drop, and none that cannot be shown', async () => {
    await using server = await startApp()
    await using visited = await visit(server.url)
    const { page, faults } = visited
    await page
      .getByLabel('Images', { exact: true })
      .setInputFiles({ name: 'one.png', mimeType: 'image/png', buffer: png })
    await page.getByAltText('one.png').waitFor()
    for (const kind of ['paste', 'drop']) {
      await composer(page).evaluate(
        (element, [type, bytes]) => {
          const data = new DataTransfer()
          data.items.add(new File([new Uint8Array(bytes)], `${type}.png`, { type: 'image/png' }))
          const init = { bubbles: true, cancelable: true }
          const event =
            type === 'paste'
              ? new ClipboardEvent(type, { ...init, clipboardData: data })
              : new DragEvent(type, { ...init, dataTransfer: data })
          element.dispatchEvent(event)
        },
        [kind, [...png]] as const,
      )
      await page.getByAltText(`${kind}.png`).waitFor()
    }
    const text = { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') }
    await page.getByLabel('Images', { exact: true }).setInputFiles(text)
    await page.getByText('notes.txt is no image').waitFor()
    await page.getByRole('button', { name: 'Remove drop.png' }).click()
    await say(page, 'Say nice')
    await answers(page).getByText('nice').waitFor()
    expect(await page.getByRole('article', { name: 'You' }).getByRole('img').count()).toBe(2)
    expect(faults).toEqual([])
  })
})
