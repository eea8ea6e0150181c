import type { Attachment, ClientSession } from 'geppetto/client'

// What was sent from this tab and has no answer yet, so that a reload in between does not lose it. It is sent again under
// its key: whether it came through before makes no difference.

export interface Outgoing {
  readonly key: string
  readonly prompt: string
  readonly profile?: string
}

/** Images are more than a tab can keep: after a reload a prompt goes without those that it had. */
const images = new Map<string, readonly Attachment[]>()
const inFlight = new Set<string>()

/** Keeps a prompt until it is delivered. */
export function putIntoOutbox(sessionId: string, outgoing: Outgoing, attachments: readonly Attachment[]): void {
  if (attachments.length > 0) images.set(outgoing.key, attachments)
  store(sessionId, [...outboxOf(sessionId), outgoing])
}

/** A prompt that the server would not take, and why. */
export interface Refusal {
  readonly prompt: string
  readonly attachments: readonly Attachment[]
  readonly error: unknown
}

/** Sends what has not been sent yet, and gives what was refused of it. */
export async function deliverOutbox(session: ClientSession): Promise<readonly Refusal[]> {
  const waiting = outboxOf(session.id).filter(({ key }) => !inFlight.has(key))
  const refusals = await Promise.all(
    waiting.map(async (outgoing): Promise<readonly Refusal[]> => {
      const { key, prompt } = outgoing
      const attachments = images.get(key) ?? []
      return deliver(session, outgoing).then(
        () => [],
        (error: unknown) => [{ prompt, attachments, error }],
      )
    }),
  )
  return refusals.flat()
}

async function deliver(session: ClientSession, { prompt, ...options }: Outgoing): Promise<void> {
  const { key } = options
  inFlight.add(key)
  try {
    await session.send(prompt, { ...options, attachments: images.get(key) ?? [] })
  } finally {
    inFlight.delete(key)
    images.delete(key)
    store(
      session.id,
      outboxOf(session.id).filter((outgoing) => outgoing.key !== key),
    )
  }
}

const nameOf = (sessionId: string) => `geppetto.outbox.${sessionId}`

function outboxOf(sessionId: string): readonly Outgoing[] {
  return JSON.parse(sessionStorage.getItem(nameOf(sessionId)) ?? '[]') as readonly Outgoing[] // we have written it
}

function store(sessionId: string, outgoing: readonly Outgoing[]): void {
  if (outgoing.length === 0) sessionStorage.removeItem(nameOf(sessionId))
  else sessionStorage.setItem(nameOf(sessionId), JSON.stringify(outgoing))
}
