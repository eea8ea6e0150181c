import { printable } from '../events/text-printer.ts'
import { isJsonObject, jsonEqual, type Json, type JsonObject } from '../json.ts'
import type { Block } from '../turns/block.ts'
import type { Finding } from '../turns/decode.ts'
import { diffTurns, isEmptyDiff, type BlockChange } from '../turns/diff.ts'
import { checkTurn, turnToJson, turnToYaml } from '../turns/document.ts'
import { encodeBlock } from '../turns/encode.ts'
import { printTurn } from '../turns/print.ts'
import { createTurn, type Turn } from '../turns/turn.ts'
import { reportError, tell, UsageError, type ExitCode } from './exit.ts'
import { readText, readTurn } from './files.ts'
import type { TurnFormat } from './formats.ts'
import type { Io } from './io.ts'
import { styleFor, type Style, type StyleOptions } from './style.ts'

/** `geppetto turn check`: one line for each finding; 1 when a file is no turn, 2 when one cannot be read. */
export async function checkCommand(files: readonly string[], io: Io): Promise<ExitCode> {
  let exitCode: ExitCode = 0
  for (const file of files) {
    try {
      const { findings } = checkTurn(await readText(file, io))
      for (const finding of findings) io.stdout.write(`${file}: ${findingLine(finding)}\n`)
      if (findings.some(({ severity }) => severity === 'error') && exitCode === 0) exitCode = 1
      if (findings.length === 0 && io.stderr.isTTY) tell(io, `${file} is a turn.`)
    } catch (error) {
      reportError(io, error)
      exitCode = 2
    }
  }
  return exitCode
}

const printers: Readonly<Record<TurnFormat, (turn: Turn) => string>> = {
  text: (turn) => printTurn(turn),
  json: turnToJson,
  yaml: turnToYaml,
}

/** `geppetto turn show`: the turn as people read it, or in another format. */
export async function showCommand(
  file: string,
  { output }: { readonly output: TurnFormat },
  io: Io,
): Promise<ExitCode> {
  const text = printers[output](await readTurn(file, io, (sentence) => tell(io, sentence)))
  io.stdout.write(io.stdout.isTTY ? printable(text) : text)
  return 0
}

/** `geppetto turn diff`: what differs; 0 when the turns say the same, 1 when not, 2 when that cannot be told. */
export async function diffCommand(before: string, after: string, options: StyleOptions, io: Io): Promise<ExitCode> {
  if (before === '-' && after === '-') throw new UsageError('Standard input can be one of the two turns, not both.')
  const note = (sentence: string) => tell(io, sentence)
  const diff = diffTurns(await readTurn(before, io, note), await readTurn(after, io, note))
  if (isEmptyDiff(diff)) return 0
  const style = styleFor(io.stdout, io.env, options)
  const keys = [...keyLines('metadata', diff.metadata), ...keyLines('data', diff.data)]
  io.stdout.write([...blockLines(diff.blocks, style), ...keys].map((line) => `${line}\n`).join(''))
  return 1
}

function findingLine({ severity, path, message }: Finding): string {
  return printable(`${severity} ${path} ${message.replaceAll(/\s+/g, ' ')}`)
}

function keyLines(bag: string, keys: readonly string[]): readonly string[] {
  return keys.map((key) => printable(`~ ${bag} ${key}`))
}

// Rows that are the same are one line, however many.
function blockLines(rows: readonly BlockChange[], style: Style): readonly string[] {
  const lines: string[] = []
  for (let at = 0; at < rows.length; at += 1) {
    const row = rows[at]
    if (row?.change === 'same') {
      const next = rows.findIndex((later, index) => index > at && later.change !== 'same')
      const end = next === -1 ? rows.length : next
      lines.push(style.dim(end - at === 1 ? '  1 block is the same' : `  ${end - at} blocks are the same`))
      at = end - 1
    } else if (row !== undefined) {
      lines.push(...changeLines(row, style))
    }
  }
  return lines
}

function changeLines(row: Exclude<BlockChange, { change: 'same' }>, style: Style): readonly string[] {
  switch (row.change) {
    case 'removed':
      return marked('-', `[${row.before}]`, row.from).map(style.red)
    case 'added':
      return marked('+', `[${row.after}]`, row.to).map(style.green)
    case 'changed': {
      const fields = changedFields(encodeBlock(row.from), encodeBlock(row.to))
      const shown = printBlock(row.from) !== printBlock(row.to)
      const head = printable(`~ [${row.before}] → [${row.after}] ${row.to.kind}: ${fields.join(', ')}`)
      const [from, to] = [marked('-', ' ', row.from).map(style.red), marked('+', ' ', row.to).map(style.green)]
      return shown ? [head, ...from, ...to] : [head]
    }
  }
}

// A file's text must not steer the terminal; the colours that are ours come on top.
function marked(mark: string, place: string, block: Block): readonly string[] {
  return printable(printBlock(block))
    .trimEnd()
    .split('\n')
    .map((line, index) => `${mark} ${index === 0 ? place : ' '.repeat(place.length)} ${line}`.trimEnd())
}

function printBlock(block: Block): string {
  return printTurn(createTurn([block]))
}

/** The names of what differs: fields, and inside of payload and metadata the keys. */
function changedFields(before: JsonObject, after: JsonObject): readonly string[] {
  const names = ['kind', 'role', 'payload', 'metadata'].filter((name) => !jsonEqual(before[name], after[name]))
  return names.flatMap((name) => {
    const [from, to] = [asObject(before[name]), asObject(after[name])]
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter(
      (key) => !jsonEqual(from[key], to[key]),
    )
    return keys.length === 0 ? [name] : keys.map((key) => `${name}.${key}`)
  })
}

function asObject(value: Json | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}
