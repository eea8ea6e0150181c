import { InvalidArgumentError, Option, type Command } from 'commander'

// Options that several commands have, and how their values are read.

export function withStore(command: Command): Command {
  return command.option('--db <FILE>', "the store's file. Default: GEPPETTO_DB, or geppetto.db in your data folder")
}

export function withFormat(command: Command): Command {
  const option = new Option('-o, --output <FORMAT>', 'for people, or as JSON').choices(['text', 'json']).default('text')
  return command.addOption(option)
}

export function addConversationOptions(command: Command): Command {
  return withStore(
    addEngineOptions(command)
      .option('--turn <FILE>', 'a turn (YAML or JSON) to go on from; - is standard input')
      .option(
        '--session <ID>',
        'a session in the store: it goes on where it was, or begins. Without it, nothing is kept',
      ),
  ).option('--no-color', 'print without colours')
}

export function addEngineOptions(command: Command): Command {
  return command
    .option('-e, --engine <NAME>', 'openai, openai-responses, anthropic (or claude), gemini, scripted', 'scripted')
    .option('-m, --model <MODEL>', "the model; default: a current one of the engine's")
    .option('--base-url <URL>', "the API's base, as the provider's own SDK takes it; a key is then optional")
    .option(
      '--api-key-file <FILE>',
      'a file that holds the key; default: OPENAI_API_KEY, ANTHROPIC_API_KEY or GEMINI_API_KEY',
    )
    .option('-s, --system <TEXT>', 'the system prompt')
    .option('-t, --tool <NAME>', 'a tool that the model may call: calculator, current_time; repeat for more', collect)
    .option('--pace <N>', 'scripted: tokens a second, 0 for no pause (default: 50)', tokensPerSecond)
    .option('--script <FILE>', 'scripted: the script that it follows')
}

export function countFrom0(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 0 up.')
  return Number(text)
}

export function portNumber(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw new InvalidArgumentError('It must be a whole number from 0 to 65535.')
  return port
}

export function collect(name: string, names: readonly string[] = []): readonly string[] {
  return [...names, name]
}

function tokensPerSecond(text: string): number {
  const pace = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isFinite(pace) || pace < 0) throw new InvalidArgumentError('It must be a number from 0 up.')
  return pace
}

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 up.')
  return Number(text)
}
