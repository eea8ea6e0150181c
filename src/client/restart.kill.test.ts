import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startCuttingProxy } from '../../test/support/cutting-proxy.ts'
import { answerIn, eagerClient, hasEnded, shown, untilView } from '../../test/support/native-client.ts'
import { startServer } from '../../test/support/server-process.ts'
import { entitiesOf } from '../timeline/timeline.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'geppetto-client-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test.each(['sse', 'websocket'] as const)(
  'a server that is killed in mid-answer and started again is no more than a pause, over %s',
  async (transport) => {
    const start = () => startServer(['--db', join(folder, 'chats.db'), '--pace', '500', '--log-level', 'error'])
    let server = await start()
    const proxy = await startCuttingProxy(server.url)
    const client = eagerClient(proxy.url, { transport, random: () => 0.1 })
    const session = await client.create()
    const statuses = new Set<string>()
    const stop = session.subscribe(() => void statuses.add(session.getSnapshot().status))
    const speaking = untilView(session, ({ timeline }) =>
      timeline.live.some((entity) => entity.kind === 'message' && entity.isStreaming && entity.text.length > 40),
    )
    const ended = untilView(session, hasEnded())
    await session.send('Tell me a long story.')
    await speaking
    server.kill('SIGKILL')
    await server.ended
    server = await start()
    proxy.retarget(server.url)
    const view = await ended
    expect([...statuses]).toEqual(expect.arrayContaining(['connecting', 'live', 'offline']))
    const asked = entitiesOf(view.timeline).filter((entity) => entity.kind === 'message' && entity.role === 'user')
    expect(asked).toHaveLength(1)
    expect(answerIn(view).length).toBeGreaterThan(1_000)
    const late = eagerClient(server.url)
    expect(shown(await untilView(late.session(session.id), ({ status }) => status === 'live'))).toEqual(shown(view))
    stop()
    late.close()
    client.close()
    await proxy.close()
    server.kill('SIGKILL')
    await server.ended
  },
  120_000,
)
