import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { WebchatClient, type Snapshot } from '../../../../test/support/webchat-client.ts'
import {
  heldModel,
  scriptedProfile,
  startWebchat,
  type WebchatServer,
} from '../../../../test/support/webchat-server.ts'
import { calculator } from '../../../inference/builtin-tools.ts'
import { SqliteStore } from '../../../store/sqlite-store.ts'

async function inFolder(work: (file: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'geppetto-webchat-'))
  try {
    await work(join(folder, 'chat.db'))
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function framesOf(server: WebchatServer, convId: string, count: number) {
  const client = await WebchatClient.attach(server.url, `conv_id=${convId}&since=0`)
  await client.untilEnded(count)
  await client.close()
  return client.frames.slice(1)
}

async function timelineOf(server: WebchatServer, convId: string) {
  const { version, entities } = (await (await server.get(`/api/timeline?conv_id=${convId}`)).json()) as Snapshot
  return { version, entities }
}

describe('a server that is started anew', () => {
  test('knows the conversation: the model sees what was said before, and so does everybody else', () =>
    inFolder(async (file) => {
      const before = await SqliteStore.open(file)
      const first = await startWebchat({ store: before })
      await first.chat({ prompt: 'Say one', conv_id: 'c', idempotency_key: 'k' })
      const [frames, timeline] = [await framesOf(first, 'c', 1), await timelineOf(first, 'c')]
      await first.close()
      await before.close()

      const after = await SqliteStore.open(file)
      const { engine, called } = heldModel()
      const second = await startWebchat({ store: after, profiles: [{ slug: 'default', model: engine }] })
      expect(await framesOf(second, 'c', 1)).toEqual(frames)
      expect(await timelineOf(second, 'c')).toEqual(timeline)
      // The key of before still stands for its prompt.
      const again = await second.chat({ prompt: 'Say one', conv_id: 'c', idempotency_key: 'k' })
      expect(again.status).toBe('completed')
      await second.chat({ prompt: 'Say two', conv_id: 'c' })
      const { turn, release } = await called(1)
      expect(turn.blocks.map(({ kind, payload }) => [kind, 'text' in payload ? payload.text : ''])).toEqual([
        ['user', 'Say one'],
        ['llm_text', 'one'],
        ['user', 'Say two'],
      ])
      release()
      expect((await framesOf(second, 'c', 2)).slice(0, frames.length)).toEqual(frames)
      await second.close()
      await after.close()
    }))

  test('answers what waited, and a browser that comes back misses nothing', () =>
    inFolder(async (file) => {
      const before = await SqliteStore.open(file)
      const held = heldModel()
      const first = await startWebchat({ store: before, profiles: [{ slug: 'default', model: held.engine }] })
      const client = await WebchatClient.attach(first.url, 'conv_id=c')
      await first.chat({ prompt: 'Say one', conv_id: 'c' })
      await first.chat({ prompt: 'Say two', conv_id: 'c' })
      await held.called(1)
      await client.until(({ event }) => event.type === 'chat.message' && event.data['content'] === 'Say two')
      const closing = first.close()
      ;(await held.called(1)).release()
      await Promise.all([closing, client.closed])
      await before.close()
      const seen = client.frames.slice(1)

      const after = await SqliteStore.open(file)
      const second = await startWebchat({ store: after })
      const last = seen.at(-1)?.event.seq ?? 0
      const resumed = await WebchatClient.attach(second.url, `conv_id=c&since=${last}`)
      await resumed.until(({ event }) => event.type === 'llm.final' && event.data['text'] === 'two')
      const whole = await framesOf(second, 'c', 2)
      await resumed.until(({ event }) => event.seq === whole.at(-1)?.event.seq)
      expect([...seen, ...resumed.frames.slice(1)]).toEqual(whole)
      await resumed.close()
      await second.close()
      await after.close()
    }))
})

describe('two servers of one store', () => {
  test('give the same frames, whichever took the prompt', () =>
    inFolder(async (file) => {
      const stores = await Promise.all([SqliteStore.open(file), SqliteStore.open(file)])
      const [one, other] = await Promise.all(stores.map((store) => startWebchat({ store })))
      if (one === undefined || other === undefined) throw new Error('there are two')
      const clients = await Promise.all([one, other].map(({ url }) => WebchatClient.connect(url, 'c')))
      await one.chat({ prompt: 'Say one', conv_id: 'c' })
      await other.chat({ prompt: 'Say two', conv_id: 'c' })
      await Promise.all(clients.map((client) => client.untilEnded(2)))
      const [first, second] = clients.map(({ frames }) => frames.slice(1))
      expect(first).toEqual(second)
      expect(await timelineOf(one, 'c')).toEqual(await timelineOf(other, 'c'))
      await Promise.all(clients.map((client) => client.close()))
      await Promise.all([one.close(), other.close()])
      await Promise.all(stores.map((store) => store.close()))
    }))
})

describe('sessions and conversations', () => {
  test('are one: a session is found by the id that its events have, by sinks too, and after a restart', () =>
    inFolder(async (file) => {
      const found: (string | undefined)[] = []
      const store = await SqliteStore.open(file)
      const first = await startWebchat({
        store,
        sinks: [
          ({ type, sessionId }) => {
            if (type !== 'inference-started') return
            void first.geppetto.context.conversations
              .findConversationBySessionId(sessionId)
              .then((conversation) => found.push(conversation?.session.id))
          },
        ],
      })
      await first.chat({ prompt: 'Say one', conv_id: 'c' })
      await framesOf(first, 'c', 1)
      expect(found).toEqual(['c'])
      const conversations = (server: WebchatServer) => server.geppetto.context.conversations
      expect(await conversations(first).findConversationBySessionId('none')).toBeUndefined()
      await first.close()
      const second = await startWebchat({ store })
      expect(await conversations(second).findConversationBySessionId('c')).toMatchObject({
        tenant: '',
        session: { id: 'c' },
        head: { sessionId: 'c' },
      })
      await second.close()
      await store.close()
    }))

  test('do not mix: what a tool does has the turn of its own session', async () => {
    const server = await startWebchat({ profiles: [{ ...scriptedProfile, tools: [calculator] }] })
    const ask = (convId: string) => server.chat({ prompt: 'What is 17 * 23?', conv_id: convId })
    const answers = await Promise.all(['a', 'b', 'a'].map(ask))
    for (const [convId, count] of [
      ['a', 2],
      ['b', 1],
    ] as const) {
      const own = answers.filter(({ conv_id }) => conv_id === convId).map(({ turn_id }) => turn_id)
      const tools = (await framesOf(server, convId, count)).filter(({ event }) => event.type.startsWith('tool.'))
      expect(tools.length).toBe(4 * count)
      expect(new Set(tools.map(({ event }) => event.correlation['turn_id']))).toEqual(new Set(own))
      expect(new Set(tools.map(({ event }) => event.correlation['session_id']))).toEqual(new Set([convId]))
    }
    await server.close()
  })

  test('go on when nobody looks on, for as long as nobody does', async () => {
    const { engine, called } = heldModel()
    const server = await startWebchat({ profiles: [{ slug: 'default', model: engine }] })
    const client = await WebchatClient.attach(server.url, 'conv_id=c')
    await server.chat({ prompt: 'Say one', conv_id: 'c' })
    const { release } = await called(1)
    await client.close()
    release()
    const { session } = await server.geppetto.context.conversations.find(
      { tenant: '', name: '', permissions: new Set() },
      'c',
    )
    for await (const event of session.events()) if (event.type === 'inference-finished') break
    const back = await WebchatClient.connect(server.url, 'c')
    expect([...back.view.byId.values()].map(({ props }) => props['content'])).toEqual(['Say one', 'one'])
    await back.close()
    await server.close()
  })
})
