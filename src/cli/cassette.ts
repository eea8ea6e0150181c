import { recordCassette } from '../cassette/record.ts'
import { replayCassette } from '../cassette/replay.ts'
import type { Cassette } from '../cassette/cassette.ts'
import type { Json, JsonObject } from '../json.ts'
import type { Inference } from '../inference/run.ts'
import type { Session } from '../session/session.ts'
import { networkOf } from './engine-options.ts'
import { exitCodeOf, reportError, type ExitCode } from './exit.ts'
import { readText, writeText } from './files.ts'
import { outputFormats } from './formats.ts'
import type { Io } from './io.ts'
import type { RunCommandOptions } from './run.ts'

/** What --record and --replay make of a run; without them, nothing. */
export interface RunCassette {
  readonly options: RunCommandOptions
  /** Undefined: as it was typed or piped in. */
  readonly prompt?: string
  /** Connects the session, once it is there. */
  connect(session: Session, prompt: string): void
  /** How the inference is cancelled. */
  cancel(inference: Inference, reason: string): void
  /** Ends it with the run; gives the exit code when the recording cannot be written or the replay went another way. */
  finish(inference: Inference, io: Io): Promise<ExitCode | undefined>
}

export async function openCassette(options: RunCommandOptions, io: Io): Promise<RunCassette> {
  if (options.record !== undefined) return record(options.record, options, io)
  if (options.replay !== undefined) return replay(await readText(options.replay, io), options)
  return {
    options,
    connect: () => {},
    cancel: (inference, reason) => inference.cancel(reason),
    finish: () => Promise.resolve(undefined),
  }
}

async function record(file: string, given: RunCommandOptions, io: Io): Promise<RunCassette> {
  const { script, turn } = given
  const options = {
    ...given,
    ...(script !== undefined && { scriptText: await readText(script, io) }),
    ...(turn !== undefined && { turnText: await readText(turn, io) }),
  }
  const recorder = recordCassette({ settings: settingsOf(options), network: networkOf(options) })
  return {
    options: { ...options, cassette: recorder },
    connect(session, prompt) {
      handleCancel(recorder, session)
      recorder.command({ kind: 'prompt', text: prompt })
    },
    cancel: (_inference, reason) => recorder.command({ kind: 'cancel', reason }),
    finish: (inference, to) => orReport(async () => writeText(file, recorder.text()), inference, to),
  }
}

function replay(text: string, given: RunCommandOptions): RunCassette {
  const player = replayCassette(text)
  const isTyped = (name: string) => !(given.defaulted ?? []).some((defaulted) => defaulted === name)
  const typed = Object.fromEntries(Object.entries(given).filter(([name]) => isTyped(name)))
  const prompt = player.commands.find(({ kind }) => kind === 'prompt')
  const { turnText, scriptText, ...recorded } = optionsOf(player.settings)
  const options = {
    ...given,
    ...recorded,
    ...typed,
    ...(given.turn === undefined && turnText !== undefined && { turnText }),
    ...(given.script === undefined && scriptText !== undefined && { scriptText }),
    cassette: player,
    keyless: true,
  }
  return {
    options,
    ...(prompt?.kind === 'prompt' && { prompt: prompt.text }),
    connect: (session) => handleCancel(player, session),
    cancel: (inference, reason) => inference.cancel(reason),
    finish: (inference, io) => orReport(() => player.finish(), inference, io),
  }
}

function handleCancel(cassette: Cassette, session: Session): void {
  cassette.onCommand((command) => {
    if (command.kind === 'cancel') session.active?.cancel(command.reason)
  })
}

// An inference that failed for the same reason has said so.
async function orReport(work: () => Promise<void>, inference: Inference, io: Io): Promise<ExitCode | undefined> {
  const failure: unknown = await inference.result.catch((error: unknown) => error)
  try {
    await work()
    return undefined
  } catch (error) {
    if (error !== failure) reportError(io, error)
    return exitCodeOf(error)
  }
}

/** The options that decide what a run does, as the header keeps them. */
const textOptions = ['engine', 'model', 'system', 'session', 'turn', 'turnText', 'script', 'scriptText'] as const

function settingsOf(options: RunCommandOptions): JsonObject {
  const { baseUrl, tool, pace, output } = options
  const texts = textOptions.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]] as const]))
  return {
    ...Object.fromEntries(texts),
    ...(baseUrl !== undefined && { baseUrl: withoutCredentials(baseUrl) }),
    ...(tool !== undefined && { tool }),
    ...(pace !== undefined && { pace }),
    output,
  }
}

// What is no option of this version, or of another type, is left out: a header is a file that somebody may have edited.
function optionsOf(settings: JsonObject): Partial<RunCommandOptions> {
  const texts = [...textOptions, 'baseUrl'].flatMap((name) => {
    const value = settings[name]
    return typeof value === 'string' ? [[name, value] as const] : []
  })
  const { tool, pace, output } = settings
  const format = outputFormats.find((name) => name === output)
  return {
    ...Object.fromEntries(texts),
    ...(isTextList(tool) && { tool }),
    ...(typeof pace === 'number' && { pace }),
    ...(format !== undefined && { output: format }),
  }
}

function isTextList(value: Json | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function withoutCredentials(address: string): string {
  if (!URL.canParse(address)) return address
  const { origin, pathname } = new URL(address)
  return `${origin}${pathname}`
}
