import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import type { ChatCommandOptions } from './chat.ts'
import { exitCodeOf, reportError, tell, type ExitCode } from './exit.ts'
import { logLevels, outputFormats, turnFormats, type TurnFormat } from './formats.ts'
import type { Io } from './io.ts'
import {
  addConversationOptions,
  addEngineOptions,
  collect,
  countFrom0,
  portNumber,
  wholeNumber,
  withFormat,
  withStore,
} from './option-groups.ts'
import type { RunCommandOptions } from './run.ts'
import type { ServeCommandOptions } from './serve.ts'
import type { ForkCommandOptions, ListCommandOptions, StoreCommandOptions } from './sessions.ts'
import type { StoreOptions } from './store-options.ts'
import type { StyleOptions } from './style.ts'

// What can be typed, and what it means. What it does is in a file for each command, loaded when it is called: asking for
// the version must not wait for engines.

type Done = (exitCode: ExitCode) => void

/** Runs the command line and gives the exit code; everything that goes wrong has been said by then. */
export async function main(args: readonly string[], io: Io): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  const program = createProgram(io, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    reportError(io, error)
    return exitCodeOf(error)
  }
}

function createProgram(io: Io, done: Done): Command {
  const program = new Command('geppetto')
    .description('Conversations with language models that can be trusted.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [COMMAND]', 'print help for a command')
    .exitOverride()
    .showHelpAfterError(false)
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text) => tell(io, `USAGE: ${usageSentence(text)}`),
    })
    .addHelpText('after', programHelp)
  addRun(program, io, done)
  addChat(program, io, done)
  addServe(program, io, done)
  addTurn(program, io, done)
  addSessions(program, io, done)
  addTrace(program, io, done)
  addDoctor(program, io, done)
  return program
}

function addRun(program: Command, io: Io, done: Done): void {
  const command = program
    .command('run')
    .summary('ask once')
    .description('Runs one inference and prints the answer. Without PROMPT, it is read from standard input.')
    .argument('[PROMPT]', 'what to ask; in quotes')
  addConversationOptions(command)
    .addOption(
      new Option(
        '-o, --output <FORMAT>',
        'what to print: the answer, each event as a line of JSON, or the finished turn',
      )
        .choices(outputFormats)
        .default('text'),
    )
    .option('--record <FILE>', 'write the whole run into FILE, to be replayed; no key is in it')
    .addOption(
      new Option(
        '--replay <FILE>',
        'run again what was recorded, without a key or a network; options that are not given are as recorded',
      ).conflicts('record'),
    )
    .addHelpText('after', runHelp)
    .action(async (prompt: string | undefined, options: RunCommandOptions) => {
      const { runCommand } = await import('./run.ts')
      const defaulted = (['engine', 'output'] as const).filter(
        (name) => command.getOptionValueSource(name) === 'default',
      )
      done(await runCommand(prompt, { ...options, defaulted }, io))
    })
}

function addChat(program: Command, io: Io, done: Done): void {
  const command = program
    .command('chat')
    .summary('hold a conversation')
    .description('A conversation in the terminal. When standard input is no terminal, each of its lines is a prompt.')
  addConversationOptions(command)
    .addHelpText('after', chatHelp)
    .action(async (options: ChatCommandOptions) => {
      const { chatCommand } = await import('./chat.ts')
      done(await chatCommand(options, io))
    })
}

function addServe(program: Command, io: Io, done: Done): void {
  const command = program
    .command('serve')
    .summary('serve chats over HTTP')
    .description('The chat server. Without options it serves this machine, and answers from the built-in script.')
  withStore(addEngineOptions(command))
    .option('--port <PORT>', 'where it listens; 0 for any port that is free', portNumber, 8080)
    .option('--host <ADDRESS>', 'the address that it listens on', '127.0.0.1')
    .addOption(
      new Option(
        '--profiles <FILE>',
        'who can answer: a YAML list of profiles, in place of the options for one engine',
      ).conflicts(['engine', 'model', 'baseUrl', 'apiKeyFile', 'system', 'tool', 'pace', 'script']),
    )
    .option('--api-keys <FILE>', 'who may use it, as a JSON list of {key, tenant, name, permissions}')
    .option('--jwks-url <URL>', 'where the public keys are that tokens (JWT) are signed with')
    .option('--issuer <NAME>', 'who issues the tokens')
    .option('--audience <NAME>', 'whom the tokens are for')
    .option(
      '--proxies <COUNT>',
      'how many proxies of yours stand before it; their x-forwarded-for is believed',
      countFrom0,
      0,
    )
    .option(
      '--allow-origin <ORIGIN>',
      'an origin whose pages may use it, as https://app.example.com; repeat for more',
      collect,
    )
    .option('--allow-host <NAME>', 'a name that it is reached under, as chat.example.com; repeat for more', collect)
    .addOption(
      new Option('--while-running <DO>', 'what becomes of a prompt that comes while another is answered')
        .choices(['queue', 'refuse', 'replace'])
        .default('queue'),
    )
    .option('--root <PATH>', 'the path that everything lies under, as /chat')
    .option('--debug-api', 'add /api/debug, for callers that may inspect')
    .option('--otel', 'send traces and metrics as the OTEL_ variables say')
    .addOption(
      new Option('--log-level <LEVEL>', 'how much it tells on standard error').choices(logLevels).default('info'),
    )
    .addHelpText('after', serveHelp)
    .action(async (options: ServeCommandOptions) => {
      const { serveCommand } = await import('./serve.ts')
      done(await serveCommand(options, io))
    })
}

function addTurn(program: Command, io: Io, done: Done): void {
  const turn = program
    .command('turn')
    .summary('work with turn files')
    .description('Works with turn files, in YAML or JSON. A FILE of - is standard input.')
  turn
    .command('check')
    .description('Prints what a reader should know of each file, a line each: FILE: severity path message.')
    .argument('<FILE...>', 'turn files')
    .addHelpText(
      'after',
      '\nExit code: 0 when all are turns (warnings and notes are fine), 1 when one is not, 2 when one cannot be read.',
    )
    .action(async (files: readonly string[]) => {
      const { checkCommand } = await import('./turn.ts')
      done(await checkCommand(files, io))
    })
  turn
    .command('show')
    .description('Prints a turn as people read it, or converts it.')
    .argument('<FILE>', 'a turn file')
    .addOption(new Option('-o, --output <FORMAT>', 'text, or the turn itself').choices(turnFormats).default('text'))
    .addHelpText('after', '\nExit code: 0; 2 when the file cannot be read or is no turn.')
    .action(async (file: string, options: { readonly output: TurnFormat }) => {
      const { showCommand } = await import('./turn.ts')
      done(await showCommand(file, options, io))
    })
  turn
    .command('diff')
    .description('Prints what differs between two turns, block by block. Ids of blocks do not count.')
    .argument('<BEFORE>', 'a turn file')
    .argument('<AFTER>', 'a turn file')
    .option('--no-color', 'print without colours')
    .addHelpText(
      'after',
      '\nExit code: 0 when the turns say the same, 1 when they differ, 2 when a file cannot be read or is no turn.',
    )
    .action(async (before: string, after: string, options: StyleOptions) => {
      const { diffCommand } = await import('./turn.ts')
      done(await diffCommand(before, after, options, io))
    })
}

function addSessions(program: Command, io: Io, done: Done): void {
  const sessions = program
    .command('sessions')
    .summary('look into the store')
    .description('Works with the sessions of a store.')
  const add = (name: string, description: string) =>
    withStore(sessions.command(name).description(description)).addHelpText('after', storeHelp)
  withFormat(add('list', 'Lists the sessions, the one that changed last first.'))
    .option('-n, --limit <COUNT>', 'how many at most', wholeNumber, 50)
    .action(async (options: ListCommandOptions) => done(await (await import('./sessions.ts')).listCommand(options, io)))
  withFormat(add('show', 'Prints what was said and done in a session.'))
    .argument('<ID>', 'a session')
    .action(async (id: string, options: StoreCommandOptions) =>
      done(await (await import('./sessions.ts')).showSessionCommand(id, options, io)),
    )
  add('export', 'Writes a session as a file of JSON lines: all that it is.')
    .argument('<ID>', 'a session')
    .argument('[FILE]', 'where to; default: standard output')
    .action(async (id: string, file: string | undefined, options: StoreOptions) =>
      done(await (await import('./sessions.ts')).exportCommand(id, file, options, io)),
    )
  add('import', 'Puts the session of a file into the store.')
    .argument('<FILE>', 'a file that export wrote; - is standard input')
    .option('--id <ID>', 'another id for the session')
    .action(async (file: string, options: StoreOptions & { readonly id?: string }) =>
      done(await (await import('./sessions.ts')).importCommand(file, options, io)),
    )
  add('fork', 'Begins a session that goes on from a turn of another one, and prints its id.')
    .argument('<ID>', 'a session')
    .option('--turn <TURN>', 'the turn; default: the latest')
    .option('--id <ID>', 'an id for the new session')
    .action(async (id: string, options: ForkCommandOptions) =>
      done(await (await import('./sessions.ts')).forkCommand(id, options, io)),
    )
  add('delete', 'Deletes sessions for good.')
    .argument('<ID...>', 'sessions')
    .action(async (ids: readonly string[], options: StoreOptions) =>
      done(await (await import('./sessions.ts')).deleteCommand(ids, options, io)),
    )
}

function addTrace(program: Command, io: Io, done: Done): void {
  const command = program
    .command('trace')
    .summary('tell the story of an id')
    .description('Prints the whole story of any id: a session, turn, inference, provider call, tool call or approval.')
    .argument('<ID>', 'any id')
  withFormat(withStore(command))
    .addHelpText('after', storeHelp)
    .action(async (id: string, options: StoreCommandOptions) =>
      done(await (await import('./sessions.ts')).traceCommand(id, options, io)),
    )
}

function addDoctor(program: Command, io: Io, done: Done): void {
  const command = program
    .command('doctor')
    .summary('check a store')
    .description('Checks a store: hashes, ordinals, references, and that what is stored is what the events make.')
    .option('--repair', 'mend what can be mended without a loss')
  withFormat(withStore(command))
    .addHelpText('after', '\nExit code: 0 when all is well, 1 when something is not, 2 wrong use.')
    .action(async (options: StoreCommandOptions & { readonly repair?: boolean }) =>
      done(await (await import('./sessions.ts')).doctorCommand(options, io)),
    )
}

const storeHelp = '\nExit code: 0; 1 when there is no such thing in the store, 2 wrong use.'

// "error: unknown command 'rum'\n(Did you mean run?)" as one sentence.
function usageSentence(text: string): string {
  const [first = '', ...more] = text
    .trim()
    .replace(/^error: /, '')
    .split('\n')
  const sentence = /[.!?]$/.test(first) ? first : `${first}.`
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)} ${more.join(' ')} See geppetto --help.`
}

function version(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  } // our own
  return manifest.version
}

const programHelp = `
Examples:
  geppetto run "Tell me a long story."
  geppetto run "What is 17 * 23?" --tool calculator
  git diff | geppetto run --engine anthropic --system "Review this change."
  geppetto chat --engine openai
  geppetto serve
  geppetto turn check review.yaml

Without --engine, a built-in engine answers from a script: it needs neither a key nor a network.

Exit code: 0 completed, 1 failed, 2 wrong use, 130 cancelled.
Errors are one line on standard error: geppetto: CODE: what happened and what to do. GEPPETTO_DEBUG=1 adds where.`

const runHelp = `
Without --tool one model call is made; tool calls are left in the turn. With --tool the model is called until it asks
for no more. With --turn and no prompt, a turn that ends in a prompt or a tool result is run as it is.

Reasoning and tool calls are shown on standard error when that is a terminal. Ctrl-C cancels and still prints what there
is; with --output json or yaml the turn is printed however the run ended, its outcome in geppetto.inference_result@v1.

Examples:
  geppetto run "What is 17 * 23?" --tool calculator
  geppetto run "Say something" --engine anthropic --output events
  echo "Why is the sky blue?" | geppetto run --engine openai --model gpt-5-mini --output yaml > sky.yaml
  geppetto run "And at night?" --turn sky.yaml --engine gemini
  geppetto run "Hello" --engine openai --base-url http://localhost:11434/v1 --model llama3.2
  geppetto run "Hello" --engine openai --record hello.jsonl
  geppetto run --replay hello.jsonl

Exit code: 0 completed, 1 failed, 2 wrong use, 130 cancelled.`

const chatHelp = `
Ctrl-C cancels the answer that is coming; twice, Ctrl-D or /exit leaves. /help lists the other commands.

Examples:
  geppetto chat
  geppetto chat --engine anthropic --tool calculator --tool current_time
  printf 'Hello\\nTell me a story.\\n' | geppetto chat

Exit code: 0; when prompts are piped in, 1 when an answer failed and 130 when one was cancelled; 2 wrong use.`

const serveHelp = `
It prints its address in one line, and its log as lines of JSON on standard error. SIGTERM and Ctrl-C end it within 10 s:
what runs is handed over to the next server on the same store; told twice, it ends at once.

Examples:
  geppetto serve
  geppetto serve --engine anthropic --tool calculator --db chats.db --port 3000
  geppetto serve --profiles profiles.yaml --allow-origin https://app.example.com
  geppetto serve --host 0.0.0.0 --allow-host chat.example.com --api-keys keys.json --proxies 1

Exit code: 0 when it was told to end, 1 failed, 2 wrong use, 130 when it was told twice.`
