import { turnToYaml } from '../turns/document.ts'
import { printTurn } from '../turns/print.ts'
import { createTurn } from '../turns/turn.ts'
import { openConversation, toolNames, type Conversation, type ConversationOptions } from './conversation.ts'
import { reportError, tell, UsageError, type ExitCode } from './exit.ts'
import { writeText } from './files.ts'
import type { Io } from './io.ts'
import { showAnswer } from './output.ts'
import { pipedPrompts, terminalPrompts } from './prompts.ts'
import { styleFor, type StyleOptions } from './style.ts'

export type ChatCommandOptions = ConversationOptions & StyleOptions

/**
 * `geppetto chat`: one prompt after the other, until the input ends or /exit. Lines that are piped in are prompts too;
 * then a failed answer makes the exit code 1, and a cancelled one ends the chat.
 */
export async function chatCommand(options: ChatCommandOptions, io: Io): Promise<ExitCode> {
  if (options.turn === '-')
    throw new UsageError('A chat reads its prompts from standard input; name the file of the turn.')
  const conversation = await openConversation(options, io, (sentence) => tell(io, sentence))
  try {
    return await converse(conversation, options, io)
  } finally {
    await conversation.talk.close()
  }
}

async function converse(conversation: Conversation, options: ChatCommandOptions, io: Io): Promise<ExitCode> {
  const isPiped = !io.stdin.isTTY
  if (!isPiped) {
    const { dim } = styleFor(io.stderr, io.env, options)
    io.stderr.write(
      `${dim(`${conversation.model} (${conversation.name}). /help says what else there is; Ctrl-D leaves.`)}\n`,
    )
  }
  let exitCode: ExitCode = 0
  for await (const line of isPiped ? pipedPrompts(io) : terminalPrompts(io)) {
    const said = readChatLine(line)
    if (said === undefined) continue
    if ('command' in said) {
      if ((await runChatCommand(said, conversation, io)) === 'leave') break
      continue
    }
    const outcome = await showAnswer(await conversation.talk.ask(said.prompt), 'text', io, options)
    if (outcome === 130 && (isPiped || conversation.talk.isTerminated)) return outcome
    if (!isPiped) continue
    exitCode = outcome === 0 ? exitCode : outcome
  }
  return exitCode
}

export type ChatLine = { readonly prompt: string } | { readonly command: string; readonly argument: string }

/** What a line asks for: a command behind a slash, a prompt (`//` begins one with a slash), or nothing. */
export function readChatLine(line: string): ChatLine | undefined {
  const text = line.trim()
  if (text === '') return undefined
  if (text.startsWith('//')) return { prompt: text.slice(1) }
  if (!text.startsWith('/')) return { prompt: line }
  const [, command = '', argument = ''] = /^\/(\S*)\s*(.*)$/.exec(text) ?? []
  return { command, argument }
}

interface ChatCommand {
  readonly help: string
  run(conversation: Conversation, argument: string, io: Io): void | 'leave' | Promise<void>
}

const commands: Readonly<Record<string, ChatCommand>> = {
  help: {
    help: '/help          what you are reading',
    run: (_conversation, _argument, { stderr }) =>
      void stderr.write(
        `${Object.values(commands)
          .map(({ help }) => help)
          .join('\n')}\n`,
      ),
  },
  tools: {
    help: '/tools         which tools the model may call',
    run: ({ tools }, _argument, { stderr }) => void stderr.write(`${toolList(tools)}\n`),
  },
  show: {
    help: '/show          the conversation as the model sees it',
    run: async ({ talk }, _argument, { stdout }) => void stdout.write(printTurn((await talk.latest()) ?? createTurn())),
  },
  save: {
    help: '/save FILE     keeps the conversation as a YAML file, for --turn',
    run: async ({ talk }, argument, io) => save(argument, turnToYaml((await talk.latest()) ?? createTurn()), io),
  },
  exit: {
    help: '/exit          leaves, as Ctrl-D and Ctrl-C twice do',
    run: () => 'leave',
  },
}

async function runChatCommand(
  { command, argument }: { readonly command: string; readonly argument: string },
  conversation: Conversation,
  io: Io,
): Promise<void | 'leave'> {
  try {
    const known = Object.hasOwn(commands, command) ? commands[command] : undefined
    if (known === undefined)
      throw new UsageError(`There is no command /${command}; /help lists them, and // begins a prompt with a slash.`)
    return await known.run(conversation, argument, io)
  } catch (error) {
    reportError(io, error)
  }
}

async function save(file: string, content: string, io: Io): Promise<void> {
  if (file === '') throw new UsageError('/save needs the name of a file.')
  await writeText(file, content)
  tell(io, `The conversation is in ${file}.`)
}

function toolList(tools: readonly string[]): string {
  const more = toolNames.filter((name) => !tools.includes(name))
  const offered = tools.length === 0 ? 'The model may call no tool.' : `The model may call ${tools.join(' and ')}.`
  return more.length === 0 ? offered : `${offered} There is also ${more.join(' and ')}: start with --tool NAME.`
}
