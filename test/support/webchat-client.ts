import { WebSocket } from 'ws'

// The browser's side of the webchat as its clients do it: open the socket, keep what comes, fetch the timeline, apply
// it, then what was kept, then what comes. It does not know that frames can be counted or resumed.

type Props = Readonly<Record<string, unknown>>
export interface ShownEntity {
  readonly id: string
  readonly kind: string
  readonly version?: number
  readonly props: Props
}
interface SnapshotEntity {
  readonly id: string
  readonly kind: string
  readonly props: Props
}
export interface Snapshot {
  readonly version?: string
  readonly entities?: readonly SnapshotEntity[]
}
export interface Frame {
  readonly sem: true
  readonly event: {
    readonly type: string
    readonly id: string
    readonly data: Props
    readonly metadata?: Props
    readonly seq?: number
    readonly stream_id?: string
    readonly correlation: Props
  }
}

/** What a browser shows. */
export class WebchatView {
  readonly byId = new Map<string, ShownEntity>()

  apply({ event: { type, id, data } }: Frame): void {
    const message = (role: string, props: Props) => this.#upsert({ id, kind: 'message', props: { role, ...props } })
    if (type === 'timeline.upsert') this.#upsert(shownOf(data['entity'] as SnapshotEntity, String(data['version'])))
    else if (type === 'chat.message')
      message(String(data['role']), { content: data['content'] ?? '', streaming: false })
    else if (type === 'llm.start')
      this.#add({ id, kind: 'message', props: { role: 'assistant', content: '', streaming: true } })
    else if (type === 'llm.delta') message('assistant', { content: data['cumulative'] ?? '', streaming: true })
    else if (type === 'llm.final') message('assistant', { content: data['text'] ?? '', streaming: false })
    else if (type === 'llm.thinking.start')
      this.#add({ id, kind: 'message', props: { role: 'thinking', content: '', streaming: true } })
    else if (type === 'llm.thinking.delta') message('thinking', { content: data['cumulative'] ?? '', streaming: true })
    else if (type === 'llm.thinking.final') message('thinking', { streaming: false })
    else if (type === 'llm.thinking.summary') message('thinking', { content: data['text'] ?? '', streaming: false })
    else if (type === 'tool.start')
      this.#add({ id, kind: 'tool_call', props: { name: data['name'], input: data['input'] } })
    else if (type === 'tool.delta') this.#upsert({ id, kind: 'tool_call', props: data['patch'] as Props })
    else if (type === 'tool.done') this.#upsert({ id, kind: 'tool_call', props: { done: true } })
    else if (type === 'tool.result') {
      const { customKind = '' } = data
      const result = { result: data['result'] ?? '', customKind }
      this.#upsert({ id: `${id}:${customKind === '' ? 'result' : 'custom'}`, kind: 'tool_result', props: result })
    }
  }

  hydrate({ version, entities = [] }: Snapshot): void {
    this.byId.clear()
    for (const entity of entities) this.#upsert(shownOf(entity, version))
  }

  #add(entity: ShownEntity): void {
    if (!this.byId.has(entity.id)) this.byId.set(entity.id, entity)
  }

  #upsert(entity: ShownEntity): void {
    const known = this.byId.get(entity.id)
    const isOlder = (entity.version ?? Infinity) < (known?.version ?? 0)
    if (!isOlder) this.byId.set(entity.id, { ...known, ...entity, props: { ...known?.props, ...entity.props } })
  }
}

function shownOf({ id, kind, props }: SnapshotEntity, version = '0'): ShownEntity {
  const { resultRaw, customKind } = props
  return {
    id,
    kind,
    version: Number(version),
    props: kind === 'tool_result' ? { result: resultRaw, customKind } : props,
  }
}

/** A socket to a conversation, and what its browser shows. */
export class WebchatClient {
  readonly view = new WebchatView()
  readonly frames: Frame[] = []
  readonly socket: WebSocket
  readonly closed: Promise<number>
  #buffered: Frame[] | undefined = []
  #heard = () => {}

  private constructor(socket: WebSocket) {
    this.socket = socket
    this.closed = new Promise((resolve) => socket.on('close', resolve))
    socket.on('error', () => {})
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Frame
      this.frames.push(frame)
      if (this.#buffered === undefined) this.view.apply(frame)
      else if (frame.sem) this.#buffered.push(frame)
      this.#heard()
    })
  }

  /** Attaches without a timeline, as a client that only listens does. */
  static async attach(url: string, query: string): Promise<WebchatClient> {
    const client = new WebchatClient(new WebSocket(`${url.replace('http', 'ws')}/ws?${query}`))
    await client.until(({ event }) => event?.type === 'ws.hello')
    return client
  }

  static async connect(url: string, convId: string): Promise<WebchatClient> {
    const client = await WebchatClient.attach(url, `conv_id=${convId}`)
    client.view.hydrate((await (await fetch(`${url}/api/timeline?conv_id=${convId}`)).json()) as Snapshot)
    const buffered = client.#buffered ?? []
    client.#buffered = undefined
    for (const frame of buffered.toSorted(bySeq)) client.view.apply(frame)
    return client
  }

  /** Resolves with the first frame, of those that came too, that is as wanted. Rejects when the socket ends before. */
  async until(isWanted: (frame: Frame) => boolean): Promise<Frame> {
    for (let at = 0; ; at += 1) {
      while (at >= this.frames.length) {
        const heard = new Promise<void>((resolve) => (this.#heard = resolve))
        await Promise.race([heard, this.closed.then((code) => Promise.reject(new Error(`closed: ${code}`)))])
      }
      const frame = this.frames[at]
      if (frame !== undefined && isWanted(frame)) return frame
    }
  }

  /** Waits until so many inferences have ended. */
  async untilEnded(count = 1): Promise<void> {
    let ended = 0
    await this.until(({ event }) => event?.type === 'inference.ended' && ++ended === count)
  }

  async close(): Promise<void> {
    this.socket.close()
    await this.closed
  }
}

export function bySeq(left: Frame, right: Frame): number {
  return (left.event.seq ?? 0) - (right.event.seq ?? 0)
}
