import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import type { AddressInfo } from 'node:net'
import { FakeClock, settle } from '../../test/support/fake-clock.ts'
import type { Clock } from '../clock.ts'
import { GeppettoError } from '../errors.ts'
import { createClient } from './client.ts'
import { heartbeatMs, silenceMs, Watchdog } from './link.ts'
import { retryDelayMs } from './retry.ts'
import { watchWake } from './wake.ts'

describe('a connection', () => {
  test('that is silent for longer than two heartbeats is dead, and one that is not is alive', async () => {
    const clock = new FakeClock()
    const dead: string[] = []
    const watchdog = new Watchdog(clock, ({ code }) => dead.push(code))
    for (let beat = 0; beat < 10; beat += 1) {
      await clock.advance(heartbeatMs)
      watchdog.heard()
    }
    await clock.advance(silenceMs - 1)
    expect(dead).toEqual([])
    await clock.advance(1)
    expect([dead, clock.pending]).toEqual([['SERVER_UNREACHABLE'], 0])
  })

  test.each<[which: string, now: number, monotonic: number]>([
    ['the clock of the wall', 3 * 3_600_000, 0],
    ['the clock that only grows', -5_000, 3 * 3_600_000],
  ])('is dead after a sleep of hours that only %s has counted', (_which, now, monotonic) => {
    let slept = false
    // Timers do not run while a machine sleeps.
    const clock: Clock = {
      now: () => (slept ? now : 0),
      monotonic: () => (slept ? monotonic : 0),
      schedule: () => () => {},
    }
    let isDead = false
    const watchdog = new Watchdog(clock, () => (isDead = true))
    watchdog.check(false)
    expect(isDead).toBe(false)
    slept = true
    watchdog.check(false)
    expect(isDead).toBe(true)
  })

  test('is given up at once when the network is another one', () => {
    let isDead = false
    new Watchdog(new FakeClock(), () => (isDead = true)).check(true)
    expect(isDead).toBe(true)
  })

  test('over a socket is asked whether it is there, and dropped when nobody answers', async () => {
    const clock = new FakeClock()
    const heard: string[] = []
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    let dropped = () => {}
    const drop = new Promise<void>((resolve) => (dropped = resolve))
    const connected = new Promise<void>((resolve) => {
      server.on('connection', (socket) => {
        socket.on('message', (data) => {
          heard.push(JSON.parse(String(data)).type)
          resolve()
        })
        socket.on('close', dropped)
      })
    })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const client = createClient({ baseUrl: `http://127.0.0.1:${port}`, transport: 'websocket', clock })
    const session = client.session('s')
    session.subscribe(() => {})
    await connected
    await clock.advance(silenceMs + 1)
    await drop
    expect(heard.slice(0, 2)).toEqual(['subscribe', 'ping'])
    await settle()
    await clock.advance(1)
    expect(session.getSnapshot()).toMatchObject({ status: 'offline', error: { code: 'SERVER_UNREACHABLE' } })
    client.close()
    for (const socket of server.clients) socket.terminate()
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('the pause before the next attempt', () => {
  test('grows to ten seconds, and chance spreads it from nothing on', () => {
    const error = new GeppettoError('SERVER_UNREACHABLE', 'gone')
    const longest = Array.from({ length: 9 }, (_, attempt) => retryDelayMs(error, attempt, () => 1))
    expect(longest).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000])
    expect(retryDelayMs(error, 5, () => 0)).toBe(0)
    expect(retryDelayMs(error, 5_000, () => 0.5)).toBe(5_000)
  })

  test.each([
    [2_000, 2_125],
    [3_600_000, 60_125],
    [-5, 125],
  ])('heeds a server that asks for %s ms', (retryAfterMs, expected) => {
    const error = new GeppettoError('RATE_LIMITED', 'slow down', { details: { retryAfterMs } })
    expect(retryDelayMs(error, 0, () => 0.5)).toBe(expected)
  })

  test('is over at once when the page hears of a network', async () => {
    const clock = new FakeClock()
    let asked = 0
    const page = new EventTarget()
    const scope = globalThis as { addEventListener?: unknown; removeEventListener?: unknown }
    scope.addEventListener = page.addEventListener.bind(page)
    scope.removeEventListener = page.removeEventListener.bind(page)
    const client = createClient({
      baseUrl: 'http://fake',
      clock,
      random: () => 1,
      fetch: () => {
        asked += 1
        return Promise.reject(new TypeError('fetch failed'))
      },
    })
    const stop = client.session('s').subscribe(() => {})
    await settle()
    expect(asked).toBe(1)
    page.dispatchEvent(new Event('online'))
    await settle()
    expect(asked).toBe(2)
    stop()
    client.close()
    delete scope.addEventListener
    delete scope.removeEventListener
  })
})

test('a page that comes into view asks for dead connections, and one that has a network again for all', () => {
  const [page, document] = [new EventTarget(), Object.assign(new EventTarget(), { visibilityState: 'visible' })]
  const woken: boolean[] = []
  const stop = watchWake(Object.assign(page, { document }), (isNetworkNew) => woken.push(isNetworkNew))
  document.dispatchEvent(new Event('visibilitychange'))
  document.visibilityState = 'hidden'
  document.dispatchEvent(new Event('visibilitychange'))
  page.dispatchEvent(new Event('online'))
  stop()
  page.dispatchEvent(new Event('online'))
  expect(woken).toEqual([false, true])
})
