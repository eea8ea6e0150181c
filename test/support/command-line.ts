import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { main } from '../../src/cli/program.ts'
import type { ExitCode } from '../../src/cli/exit.ts'

export interface CommandOptions {
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface CommandResult<Code = number | null> {
  readonly exitCode: Code
  readonly stdout: string
  readonly stderr: string
}

export interface TerminalOptions extends CommandOptions {
  /** Which streams are a terminal. Default none. */
  readonly terminal?: readonly ('stdin' | 'stdout' | 'stderr')[]
  /** Called with what standard error has said so far, whenever it says more. */
  readonly onNote?: (stderr: string) => void
}

/** Runs the command line in this process, on streams of its own. */
export async function command(
  args: readonly string[],
  options: TerminalOptions = {},
): Promise<CommandResult<ExitCode>> {
  const stream = (name: 'stdin' | 'stdout' | 'stderr') =>
    Object.assign(new PassThrough(), { isTTY: options.terminal?.includes(name) === true })
  const io = {
    stdin: stream('stdin'),
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    env: { GEPPETTO_DB: ':memory:', ...options.env },
  }
  io.stdin.end(options.stdin ?? '')
  let noted = ''
  io.stderr.on('data', (chunk: Buffer) => {
    noted += chunk.toString()
    options.onNote?.(noted)
  })
  const written = Promise.all([text(io.stdout), text(io.stderr)])
  const exitCode = await main(args, io)
  io.stdout.end()
  io.stderr.end()
  const [stdout, stderr] = await written
  return { exitCode, stdout, stderr }
}

const compileCache = join(tmpdir(), 'geppetto-compile-cache')
const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export interface ProcessOptions extends CommandOptions {
  /** Called when something has come on standard output. */
  readonly onFirstOutput?: (child: { kill(signal: NodeJS.Signals): void; closeOutput(): void }) => void
}

/** Runs the command line in a process of its own. */
export function geppetto(args: readonly string[], options: ProcessOptions = {}): Promise<CommandResult> {
  // Sources are compiled when they are first loaded; the next process finds them done.
  const env = {
    PATH: process.env['PATH'],
    TERM: 'xterm',
    NODE_COMPILE_CACHE: compileCache,
    GEPPETTO_DB: ':memory:',
    ...options.env,
  }
  const child = spawn(process.execPath, [program, ...args], { env, stdio: 'pipe' })
  const controls = {
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    closeOutput: () => void child.stdout.destroy(),
  }
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk
  })
  child.stdout.once('data', () => options.onFirstOutput?.(controls))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk
  })
  child.stdin.on('error', () => {}) // a command that takes no input may be gone before it is written
  child.stdin.end(options.stdin ?? '')
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (exitCode) => resolve({ exitCode, stdout, stderr }))
  })
}
