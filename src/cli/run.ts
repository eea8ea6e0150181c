import { text } from 'node:stream/consumers'
import type { Session } from '../session/session.ts'
import { openCassette } from './cassette.ts'
import { openConversation, type ConversationOptions } from './conversation.ts'
import { tell, UsageError, type ExitCode } from './exit.ts'
import type { OutputFormat } from './formats.ts'
import type { Io } from './io.ts'
import { showAnswer } from './output.ts'
import type { StyleOptions } from './style.ts'
import { answerOf } from './talk.ts'

export interface RunCommandOptions extends ConversationOptions, StyleOptions {
  readonly output: OutputFormat
  /** The file that the run is recorded into. */
  readonly record?: string
  /** The file that the run is replayed from. */
  readonly replay?: string
  /** The options that nobody typed: a replay takes what was recorded. */
  readonly defaulted?: readonly ('engine' | 'output')[]
}

/** `geppetto run`: one inference. */
export async function runCommand(given: string | undefined, typed: RunCommandOptions, io: Io): Promise<ExitCode> {
  const cassette = await openCassette(typed, io)
  const { options } = cassette
  const { talk, session } = await openConversation(options, io, (sentence) => tell(io, sentence))
  try {
    const prompt = given ?? cassette.prompt ?? (options.turn === '-' ? '' : await pipedPrompt(io))
    if (session === undefined) {
      if (prompt.trim() === '')
        throw new UsageError('There is no prompt for the session: give one in quotes, or pipe it in.')
      return await showAnswer(await talk.ask(prompt), options.output, io, options)
    }
    if (prompt.trim() !== '') session.prompt(prompt)
    else requireQuestion(session)
    cassette.connect(session, prompt)
    const inference = session.startInference()
    const answer = answerOf(inference, (reason) => cassette.cancel(inference, reason))
    const exitCode = await showAnswer(answer, options.output, io, options)
    return (await cassette.finish(inference, io)) ?? exitCode
  } finally {
    await talk.close()
  }
}

/** What standard input holds when it is no terminal, without the line break that ends it. */
async function pipedPrompt({ stdin }: Io): Promise<string> {
  return stdin.isTTY ? '' : (await text(stdin)).replace(/^\ufeff/, '').replace(/\r?\n$/, '')
}

function requireQuestion({ latest }: Session): void {
  if (latest === undefined) throw new UsageError('There is no prompt: give one in quotes, or pipe it in.')
  const last = latest.blocks.findLast((block) => block.kind !== 'system')
  if (last?.kind === 'user' || last?.kind === 'tool_use') return
  throw new UsageError('The turn ends in nothing to answer (neither a prompt nor a tool result): give a prompt.')
}
