import { newUuid } from '../clock.ts'
import { calculator, currentTime } from '../inference/builtin-tools.ts'
import { stack } from '../inference/engine.ts'
import { toolLoop } from '../inference/tool-loop.ts'
import type { Tool } from '../inference/tool.ts'
import { systemPrompt } from '../middleware/system-prompt.ts'
import { Session } from '../session/session.ts'
import { sessionIdKey } from '../turns/keys.ts'
import { chooseEngine, type ChosenEngine, type EngineOptions } from './engine-options.ts'
import { UsageError } from './exit.ts'
import { readTurn } from './files.ts'
import type { Io } from './io.ts'
import { openStore, type StoreOptions } from './store-options.ts'
import { talkInMemory, talkInStore, type Talk } from './talk.ts'

/** What `run` and `chat` are told of the conversation. */
export interface ConversationOptions extends EngineOptions, StoreOptions {
  readonly system?: string
  readonly turn?: string
  /** What the file of `turn` says, when that is known. */
  readonly turnText?: string
  readonly session?: string
  readonly tool?: readonly string[]
}

export interface Conversation extends ChosenEngine {
  readonly talk: Talk
  /** The session of a conversation that is kept nowhere. */
  readonly session?: Session
  readonly tools: readonly string[]
}

const builtinTools: ReadonlyMap<string, Tool> = new Map<string, Tool>(
  [calculator, currentTime()].map((tool) => [tool.name, tool]),
)

/** The tools that can be named. */
export const toolNames: readonly string[] = [...builtinTools.keys()]

/** The conversation that the options describe, with the turn of --turn in it. Throws for options that cannot work. */
export async function openConversation(
  options: ConversationOptions,
  io: Io,
  note: (sentence: string) => void,
): Promise<Conversation> {
  const { cassette } = options
  const named = [...new Set(options.tool)].map(requireTool)
  const tools = cassette === undefined ? named : named.map((tool) => cassette.tool(tool))
  const turn = options.turn === undefined ? undefined : await readTurn(options.turn, io, note, options.turnText)
  const chosen = await chooseEngine(options, io, note)
  const model = stack(chosen.engine, systemPrompt(options.system ?? ''))
  const engine = tools.length === 0 ? model : toolLoop(model, tools)
  const conversation = { ...chosen, tools: tools.map((tool) => tool.name) }
  const id = options.session ?? (turn && sessionIdKey.get(turn))
  if (cassette === undefined && (options.session !== undefined || options.db !== undefined)) {
    const sessionId = options.session ?? newUuid()
    if (options.session === undefined) note(`The session is ${sessionId}.`)
    const store = await openStore(options, io)
    return { ...conversation, talk: await talkInStore(store, sessionId, engine, turn) }
  }
  const session = new Session({
    engine,
    ...(id !== undefined && { id }),
    ...(cassette && { clock: cassette.clock, newId: cassette.newId }),
  })
  if (turn !== undefined) session.append(turn)
  return { ...conversation, session, talk: talkInMemory(session) }
}

/** The built-in tool of this name. */
export function requireTool(name: string): Tool {
  const tool = builtinTools.get(name)
  if (tool === undefined)
    throw new UsageError(`There is no tool ${JSON.stringify(name)}; the tools are ${toolNames.join(' and ')}.`)
  return tool
}
