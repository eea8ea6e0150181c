import { text } from 'node:stream/consumers'
import type { Session } from '../session/session.ts'
import { openConversation, type ConversationOptions } from './conversation.ts'
import { tell, UsageError, type ExitCode } from './exit.ts'
import type { OutputFormat } from './formats.ts'
import type { Io } from './io.ts'
import { showInference } from './output.ts'
import type { StyleOptions } from './style.ts'

export interface RunCommandOptions extends ConversationOptions, StyleOptions {
  readonly output: OutputFormat
}

/** `geppetto run`: one inference. */
export async function runCommand(given: string | undefined, options: RunCommandOptions, io: Io): Promise<ExitCode> {
  const { session } = await openConversation(options, io, (sentence) => tell(io, sentence))
  const prompt = given ?? (options.turn === '-' ? '' : await pipedPrompt(io))
  if (prompt.trim() !== '') session.prompt(prompt)
  else requireQuestion(session)
  return showInference(session.startInference(), options.output, io, options)
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
