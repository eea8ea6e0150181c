import * as ai from 'ai'
import { WorkflowChatTransport } from '@ai-sdk/workflow/client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createChat, loadMessages, plain, transcript, type AiSdk } from '../../../../test/support/ai-sdk-chat.ts'
import { closeChatServers, delta, serveChats, started, textEnd } from '../../../../test/support/ai-sdk-server.ts'
import { providerCallFinished, textReply, toolReply, type EngineStep } from '../../../../test/support/event-engine.ts'
import { testTool } from '../../../../test/support/runs.ts'

afterEach(closeChatServers)
beforeEach(() => {
  vi.spyOn(console, 'error').mockImplementation(() => {})
})

const chatSdk = ai as unknown as AiSdk // what the tests use of it

/** A transport whose answers break off after so many chunks, and what it has asked for. */
function cutTransport(url: string, cuts: readonly number[]) {
  const asked: string[] = []
  const left = [...cuts]
  const headers = { 'content-type': 'application/json' }
  const transport = new WorkflowChatTransport({
    api: `${url}/api/chat`,
    fetch: async (input, init) => {
      asked.push(`${init?.method ?? 'GET'} ${String(input).slice(url.length)}`)
      const response = await fetch(input, init)
      const cut = left.shift()
      return cut === undefined ? response : new Response(breakOff(response.body, cut), response)
    },
    prepareSendMessagesRequest: ({ id, messages, body, trigger, messageId }) => ({
      headers,
      body: { ...body, id, messages, trigger, messageId },
    }),
  })
  return { transport, asked }
}

function breakOff(body: Response['body'], after: number): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    (async function* () {
      let rest = ''
      let told = 0
      const decoder = new TextDecoder()
      for await (const bytes of body ?? []) {
        const frames = (rest + decoder.decode(bytes, { stream: true })).split('\n\n')
        rest = frames.pop() ?? ''
        for (const frame of frames) {
          if (told === after) throw new TypeError('network error')
          told += 1
          yield new TextEncoder().encode(`${frame}\n\n`)
        }
      }
    })(),
  )
}

const hello: readonly EngineStep[] = [
  started,
  delta('Hel'),
  delta('lo', 3),
  delta(' you', 5),
  textEnd('Hello you'),
  providerCallFinished(1),
]
const retried: readonly EngineStep[] = [
  started,
  delta('Half of'),
  { type: 'attempt-discarded', error: { code: 'PROVIDER_STALLED', message: 'no more' }, blocks: 0, retryInMs: 0 },
  ...textReply('The whole.'),
]

test.each([
  ['an answer', hello, 'Hello you', 7],
  ['an answer with an attempt that failed', retried, 'The whole.', 10],
])('a stream of %s that is cut after any chunk goes on after it', async (_what, steps, text, chunks) => {
  for (let cut = 0; cut < chunks; cut += 1) {
    const { url } = await serveChats([steps], { ui: '7' })
    const { transport, asked } = cutTransport(url, [cut])
    const chat = createChat(chatSdk, { url, transport })
    await chat.sendMessage({ text: 'Hi' })
    expect(chat.error).toBeUndefined()
    expect(transcript(chat.messages)).toEqual(['"Hi"', text])
    expect(plain(await loadMessages(url, chat.id, '7'))).toEqual(plain(chat.messages))
    expect(asked).toEqual(['POST /api/chat', `GET /api/chat/${chat.messages[1]?.id}/stream?startIndex=${cut}`])
  }
})

test('what comes after an approval is a run of its own', async () => {
  const pay = testTool('pay', () => 'paid', { needsApproval: () => true })
  const { url } = await serveChats([toolReply(['call_1', 'pay']), textReply('Done.')], { ui: '7', tools: [pay] })
  const { transport, asked } = cutTransport(url, [99, 3, 2])
  const chat = createChat(chatSdk, { url, transport })
  await chat.sendMessage({ text: 'Pay.' })
  const id = chat.messages[1]?.parts.find(({ approval }) => approval !== undefined)?.approval?.id ?? ''
  await chat.addToolApprovalResponse?.({ id, approved: true })
  await chat.sendMessage()
  expect(chat.error).toBeUndefined()
  expect(transcript(chat.messages)).toEqual(['"Pay."', 'Done.'])
  const run = chat.messages[1]?.id
  expect(asked.slice(1)).toEqual([
    'POST /api/chat',
    `GET /api/chat/${run}~1/stream?startIndex=3`,
    `GET /api/chat/${run}~1/stream?startIndex=5`,
  ])
})

test('a client begins at the end that a stream has now', async () => {
  const { url } = await serveChats([hello], { ui: '7' })
  const chat = createChat(chatSdk, { url, transport: cutTransport(url, []).transport })
  await chat.sendMessage({ text: 'Hi' })
  const response = await fetch(`${url}/api/chat/${chat.messages[1]?.id}/stream?startIndex=-3`)
  expect(response.headers.get('x-workflow-stream-tail-index')).toBe('6')
  expect((await response.text()).match(/"type":"[a-z-]+"/g)).toEqual([
    '"type":"text-end"',
    '"type":"finish-step"',
    '"type":"finish"',
  ])
})

test('who cannot be told that a step is void does not come back to a place', async () => {
  const { url } = await serveChats([hello])
  const chat = createChat(chatSdk, { url })
  await chat.sendMessage({ text: 'Hi' })
  const response = await fetch(`${url}/api/chat/${chat.messages[1]?.id}/stream?startIndex=3`)
  expect(await response.json()).toMatchObject({ code: 'REQUEST_INVALID' })
})
