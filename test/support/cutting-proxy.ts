import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Says of each chunk that the server sends over one connection how much of it passes before the cut; undefined: all. */
export type Cutter = (chunk: Buffer) => number | undefined

/** Lets everything pass. */
export const uncut: Cutter = () => undefined

/** Cuts after so many bytes. */
export function afterBytes(count: number): Cutter {
  let left = count
  return (chunk) => {
    left -= chunk.length
    return left < 0 ? left + chunk.length : undefined
  }
}

/** Cuts after so many whole events of our own protocol, `into` bytes into the next one. */
export function afterEvents(count: number, into = 0): Cutter {
  const mark = '{"type":"'
  let seen = 0
  let before = ''
  return (chunk) => {
    const text = before + chunk.toString('latin1') // a byte is a character
    for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) {
      seen += 1
      if (seen > count) return Math.max(Math.min(at - before.length + into, chunk.length), 0)
    }
    before = text.slice(1 - mark.length)
    return undefined
  }
}

export interface CuttingProxy {
  readonly url: string
  /** How many connections were made, and how many of them were cut. */
  readonly counts: { connections: number; cuts: number }
  /** Where connections lead from now on; those that are there are cut. */
  retarget(url: string): void
  /** Cuts all connections that are there. */
  cut(): void
  close(): Promise<void>
}

/** A proxy that breaks connections off where a test wants it: `cutter` is asked once for each connection, from 0. */
export async function startCuttingProxy(
  target: string,
  cutter: (connection: number) => Cutter = () => uncut,
): Promise<CuttingProxy> {
  let { hostname, port } = new URL(target)
  const counts = { connections: 0, cuts: 0 }
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const passes = cutter(counts.connections)
    counts.connections += 1
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk) => {
      const length = passes(chunk)
      if (length === undefined) return void client.write(chunk)
      counts.cuts += 1
      upstream.destroy()
      client.end(chunk.subarray(0, length))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, // it listens on a port
    counts,
    cut,
    retarget(url) {
      ;({ hostname, port } = new URL(url))
      cut()
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      cut()
      return closed
    },
  }
}
