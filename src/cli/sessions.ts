import { once } from 'node:events'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { encodeEvent } from '../events/codec.ts'
import { GeppettoError, isGeppettoError, messageOf } from '../errors.ts'
import type { JsonObject } from '../json.ts'
import { checkStore, repairSession } from '../session/doctor.ts'
import { forkSession } from '../session/fork.ts'
import { latestTurn, readEvents } from '../session/past.ts'
import { exportSession, importSession } from '../session/session-file.ts'
import { oneLine, printTrace, trace } from '../session/trace.ts'
import { stateOf, unknownSession } from '../session/writer.ts'
import type { Head, Store } from '../store/store.ts'
import { applyTimeline, emptyTimeline, entitiesOf } from '../timeline/timeline.ts'
import { timelineToJson } from '../timeline/json.ts'
import type { Entity } from '../timeline/entity.ts'
import { tell, type ExitCode } from './exit.ts'
import type { Io } from './io.ts'
import { openStore, type StoreOptions } from './store-options.ts'

export interface StoreCommandOptions extends StoreOptions {
  readonly output: 'text' | 'json'
}
export interface ListCommandOptions extends StoreCommandOptions {
  readonly limit: number
}
export interface ForkCommandOptions extends StoreOptions {
  readonly turn?: string
  readonly id?: string
}

/** `geppetto sessions list`. */
export function listCommand(options: ListCommandOptions, io: Io): Promise<ExitCode> {
  return withStore(options, io, async (store) => {
    const heads = await store.list({ limit: options.limit })
    const rows = await Promise.all(heads.map((head) => rowOf(store, head)))
    if (options.output === 'json') print(io, rows)
    else for (const row of rows) io.stdout.write(`${row.session_id}  ${row.updated_at}  ${row.status}  ${row.prompt}\n`)
    if (rows.length === 0 && options.output === 'text') tell(io, 'There are no sessions.')
  })
}

async function rowOf(store: Store, head: Head) {
  const { active, queue } = stateOf(head)
  const turn = await latestTurn(store, head)
  const prompt = turn?.blocks.findLast((block) => block.kind === 'user')?.payload.text ?? ''
  const running = active === undefined ? `${queue.length} waiting` : 'running'
  return {
    session_id: head.sessionId,
    created_at: head.createdAt,
    updated_at: head.updatedAt,
    events: head.ordinal,
    status: head.hasWork ? (head.owner === undefined ? 'left behind' : running) : 'idle',
    prompt: short(prompt),
  }
}

/** `geppetto sessions show`. */
export function showSessionCommand(id: string, options: StoreCommandOptions, io: Io): Promise<ExitCode> {
  return withStore(options, io, async (store) => {
    const head = await store.head(id)
    if (head === undefined) throw unknownSession(id)
    let timeline = emptyTimeline(head.firstOrdinal - 1)
    for await (const event of readEvents(store, id, head.firstOrdinal - 1, head.ordinal)) {
      timeline = applyTimeline({ ...timeline, ordinal: event.ordinal - 1 }, event) // events of a newer version are left out
    }
    if (options.output === 'json') print(io, timelineToJson(timeline))
    else for (const entity of entitiesOf(timeline)) io.stdout.write(linesOf(entity))
  })
}

function linesOf(entity: Entity): string {
  switch (entity.kind) {
    case 'message':
      return `${entity.role === 'user' ? '> ' : ''}${entity.text}${entity.isPartial === true ? ' [cut off]' : ''}\n\n`
    case 'reasoning':
      return `[thought] ${short(entity.text)}\n\n`
    case 'tool-call': {
      const { toolName, status, input, result, error } = entity
      return `[${toolName}: ${status}] ${short(JSON.stringify(input ?? null))} → ${short(error ?? JSON.stringify(result ?? null))}\n\n`
    }
    case 'activity':
      return `[${entity.activity}: ${entity.step}] ${short(entity.detail ?? '')}\n\n`
    case 'notice':
      return `[${entity.level}] ${entity.message}\n\n`
    case 'inference':
      return entity.status === 'finished'
        ? ''
        : `[inference ${entity.id}: ${entity.status}] ${entity.reason ?? entity.error?.message ?? ''}\n\n`
  }
}

/** `geppetto sessions export`. */
export function exportCommand(id: string, file: string | undefined, options: StoreOptions, io: Io): Promise<ExitCode> {
  return withStore(options, io, async (store) => {
    if ((await store.head(id)) === undefined) throw unknownSession(id)
    const out = file === undefined ? io.stdout : createWriteStream(file, { flags: 'wx', mode: 0o600 })
    try {
      if (file !== undefined) await once(out, 'open')
      for await (const line of exportSession(store, id)) if (!out.write(line)) await once(out, 'drain')
      if (file === undefined) return
      out.end()
      await once(out, 'finish')
    } catch (error) {
      if (isGeppettoError(error)) throw error
      if (file === undefined) return // whoever reads has enough, or main.ts says what is wrong
      throw new GeppettoError('FILE_ACCESS', `${file} cannot be written: ${messageOf(error)}.`, {
        cause: error,
      })
    }
    tell(io, `Session ${id} is in ${file}.`)
  })
}

/** `geppetto sessions import`. */
export function importCommand(
  file: string,
  { id, ...options }: StoreOptions & { readonly id?: string },
  io: Io,
): Promise<ExitCode> {
  return withStore(options, io, async (store) => {
    const input: NodeJS.ReadableStream = file === '-' ? io.stdin : createReadStream(file)
    const failed = new Promise<never>((_resolve, reject) => {
      input.once('error', (error: unknown) =>
        reject(new GeppettoError('FILE_ACCESS', `${file} cannot be read: ${messageOf(error)}.`, { cause: error })),
      )
    })
    failed.catch(() => {}) // it is heard where it is raced
    const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
    const sessionId = await Promise.race([importSession(store, lines, id === undefined ? {} : { id }), failed])
    io.stdout.write(`${sessionId}\n`)
  })
}

/** `geppetto sessions fork`. */
export function forkCommand(
  id: string,
  { turn, id: newId, ...options }: ForkCommandOptions,
  io: Io,
): Promise<ExitCode> {
  return withStore(options, io, async (store) => {
    const forked = await forkSession(store, id, {
      ...(turn !== undefined && { turnId: turn }),
      ...(newId !== undefined && { id: newId }),
    })
    io.stdout.write(`${forked}\n`)
  })
}

/** `geppetto sessions delete`. */
export function deleteCommand(ids: readonly string[], options: StoreOptions, io: Io): Promise<ExitCode> {
  return withStore(options, io, async (store) => {
    for (const id of ids) if (!(await store.delete(id))) throw unknownSession(id)
  })
}

/** `geppetto trace`. */
export function traceCommand(id: string, options: StoreCommandOptions, io: Io): Promise<ExitCode> {
  return withStore(options, io, async (store) => {
    const traces = await trace(store, id)
    if (options.output === 'text') for (const found of traces) io.stdout.write(printTrace(found))
    else
      print(
        io,
        traces.map(({ sessionId, of, events }) => ({ session_id: sessionId, of, events: events.map(encodeEvent) })),
      )
  })
}

/** `geppetto doctor`: says what is wrong, and mends what can be mended when it is told to. */
export async function doctorCommand(
  { repair, ...options }: StoreCommandOptions & { readonly repair?: boolean },
  io: Io,
): Promise<ExitCode> {
  const { db = ':memory:' } = options
  // A store that is made for this would be well.
  if (db !== ':memory:' && !existsSync(db))
    throw new GeppettoError('FILE_ACCESS', `${db} is not there: give the file of a store.`)
  return withStore(options, io, async (store) => {
    let isWell = true
    const found: JsonObject[] = []
    for await (const { severity, code, sessionId, message, repair: offered } of checkStore(store)) {
      const done =
        repair === true && offered !== undefined && sessionId !== undefined ? await repairSession(store, sessionId) : []
      isWell &&= severity === 'note' || done.length > 0
      found.push({
        severity,
        code,
        message,
        ...(sessionId !== undefined && { session_id: sessionId }),
        ...(offered !== undefined && { repair: offered }),
        ...(done.length > 0 && { repaired: [...done] }),
      })
      if (options.output === 'json') continue
      const where = sessionId === undefined ? 'the store' : `session ${sessionId}`
      const help =
        done.length > 0 ? ` Repaired: ${done.join('; ')}.` : offered === undefined ? '' : ` With --repair: ${offered}.`
      io.stdout.write(`${severity} ${code}: ${where}: ${message}.${help}\n`)
    }
    if (options.output === 'json') print(io, found)
    else if (found.length === 0) io.stdout.write('All is well.\n')
    return isWell ? 0 : 1
  })
}

async function withStore(
  options: StoreOptions,
  io: Io,
  work: (store: Store) => Promise<ExitCode | void>,
): Promise<ExitCode> {
  const store = await openStore(options, io)
  try {
    return (await work(store)) ?? 0
  } finally {
    await store.close()
  }
}

function print(io: Io, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
}

function short(text: string): string {
  return oneLine(text, 100)
}
