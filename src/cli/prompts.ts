import { createInterface } from 'node:readline'
import type { Io } from './io.ts'

/** The lines that a program pipes in. */
export function pipedPrompts({ stdin }: Io): AsyncIterable<string> {
  return createInterface({ input: stdin, crlfDelay: Infinity, terminal: false })
}

/**
 * The lines that a person types, until Ctrl-D or Ctrl-C twice. The terminal is read line by line: while an answer comes
 * it is as it was, so that Ctrl-C is a signal.
 */
export async function* terminalPrompts(io: Io): AsyncIterable<string> {
  const terminal: Terminal = { history: [], typedAhead: [], unfinished: '' }
  while (true) {
    const line = terminal.typedAhead.shift() ?? (await readLine(io, terminal))
    if (line === undefined) return
    yield line
  }
}

interface Terminal {
  history: string[]
  /** Lines that were pasted with the first. */
  typedAhead: string[]
  /** The beginning of a line that was pasted with them. */
  unfinished: string
}

function readLine({ stdin, stdout, stderr }: Io, terminal: Terminal): Promise<string | undefined> {
  const output = stdout.isTTY ? stdout : stderr
  const reader = createInterface({ input: stdin, output, prompt: '> ', history: terminal.history, historySize: 1000 })
  const lines: string[] = []
  let isLeaving = false
  reader.on('history', (history) => {
    terminal.history = history
  })
  reader.on('line', (line) => {
    isLeaving = false
    lines.push(line)
    // What was pasted together arrives together: all of it is taken before the terminal is let go.
    if (lines.length === 1) setImmediate(() => reader.close())
  })
  reader.on('SIGINT', () => {
    if (isLeaving || lines.length > 0) return reader.close()
    isLeaving = true
    reader.write(null, { ctrl: true, name: 'u' })
    output.write('\n(Ctrl-C again leaves)\n')
    reader.prompt()
  })
  return new Promise((resolve) => {
    reader.on('close', () => {
      const [first, ...more] = lines
      if (first === undefined) output.write('\n')
      terminal.typedAhead = more
      terminal.unfinished = first === undefined ? '' : reader.line
      resolve(first)
    })
    reader.prompt()
    if (terminal.unfinished !== '') reader.write(terminal.unfinished)
  })
}
