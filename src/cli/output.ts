import { eventToJsonLine } from '../events/codec.ts'
import type { InferenceEvent } from '../events/event.ts'
import { InferenceCancelledError } from '../inference/inference-error.ts'
import { turnToJson, turnToYaml } from '../turns/document.ts'
import { inferenceResultKey } from '../turns/keys.ts'
import { pendingToolCalls } from '../turns/tool-calls.ts'
import type { Turn } from '../turns/turn.ts'
import { AnswerView, warn } from './answer-view.ts'
import { reportError, tell, type ExitCode } from './exit.ts'
import type { OutputFormat } from './formats.ts'
import type { Io } from './io.ts'
import { Progress } from './progress.ts'
import { cancelOnSignal } from './signals.ts'
import type { StyleOptions } from './style.ts'
import type { Answer } from './talk.ts'

interface View {
  readonly show: (event: InferenceEvent) => void
  end(turn: Turn): void
}

const views: Readonly<Record<OutputFormat, (io: Io, options: StyleOptions) => View>> = {
  text: (io, options) => new AnswerView(io, options),
  events: ({ stdout }) => ({ show: (event) => void stdout.write(eventToJsonLine(event)), end: () => {} }),
  json: (io) => documentView(io, turnToJson),
  yaml: (io) => documentView(io, turnToYaml),
}

function documentView(io: Io, print: (turn: Turn) => string): View {
  const progress = new Progress(io, () => true)
  return {
    show(event) {
      progress.count(event)
      warn(io, event)
    },
    end(turn) {
      progress.stop()
      io.stdout.write(print(turn))
    },
  }
}

/**
 * Shows an answer to its end and says how it ended. Ctrl-C cancels it, and so does a reader of the output that leaves;
 * what it had produced is shown all the same.
 */
export async function showAnswer(
  answer: Answer,
  format: OutputFormat,
  io: Io,
  options: StyleOptions,
): Promise<ExitCode> {
  const view = views[format](io, options)
  const release = cancelOnSignal(answer)
  let hasReader = true
  const readerLeft = () => {
    hasReader = false
    answer.cancel('the reader of the output has left')
  }
  io.stdout.on('error', readerLeft)
  try {
    for await (const event of answer) view.show(event)
    view.end(await answer.turn())
    return await outcome(answer, hasReader ? io : undefined)
  } finally {
    release()
    io.stdout.off('error', readerLeft)
  }
}

async function outcome({ result }: Answer, io: Io | undefined): Promise<ExitCode> {
  try {
    const note = endNote(await result)
    if (note !== undefined && io !== undefined) tell(io, note)
    return 0
  } catch (error) {
    if (io !== undefined) reportError(io, error)
    return error instanceof InferenceCancelledError ? 130 : 1
  }
}

/** What a reader should know of an end that is no full answer. */
export function endNote(turn: Turn): string | undefined {
  switch (inferenceResultKey.get(turn)?.finish_class) {
    case 'tool_calls_pending': {
      const names = new Set(pendingToolCalls(turn).map((call) => call.payload.name))
      return `The model asks for tools that were not run: ${[...names].join(', ')}. Offer built-in ones with --tool.`
    }
    case 'max_tokens':
      return 'The answer is cut off: the limit of tokens was reached.'
    case 'refusal':
      return 'The model declined to answer.'
    case 'incomplete':
      return 'The model ended without an answer.'
    default:
      return undefined
  }
}
