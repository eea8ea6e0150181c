import { readFile, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { GeppettoError, isGeppettoError, messageOf } from '../errors.ts'
import { turnFromText } from '../turns/document.ts'
import type { Turn } from '../turns/turn.ts'
import type { Io } from './io.ts'

const problems: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a directory',
  ENOTDIR: 'there is no such file',
  EACCES: 'permission denied',
}

/** The text of a file, or of standard input for `-`; errors call it `name`. Throws FILE_ACCESS. */
export async function readText(path: string, { stdin }: Io, name = nameOf(path)): Promise<string> {
  try {
    return withoutMark(path === '-' ? await text(stdin) : await readFile(path, 'utf8'))
  } catch (error) {
    throw noAccess(name, 'read', error)
  }
}

/** Writes a file as a whole. Throws FILE_ACCESS. */
export async function writeText(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content)
  } catch (error) {
    throw noAccess(nameOf(path), 'written', error)
  }
}

/** The turn in a file, or in its text when that is `known`; `note` hears of what a reader should know. Throws FILE_ACCESS, TURN_INVALID, TURN_TOO_LARGE. */
export async function readTurn(path: string, io: Io, note: (sentence: string) => void, known?: string): Promise<Turn> {
  const content = known ?? (await readText(path, io))
  const name = nameOf(path)
  try {
    return turnFromText(content, (finding) => {
      if (finding.severity !== 'note') note(`${name}: ${finding.severity} ${finding.path} ${finding.message}`)
    })
  } catch (error) {
    if (!isGeppettoError(error)) throw error
    throw new GeppettoError(error.code, `${name}: ${error.message}`, { cause: error })
  }
}

function noAccess(name: string, verb: string, error: unknown): GeppettoError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return new GeppettoError('FILE_ACCESS', `${name} cannot be ${verb}: ${problems[code] ?? messageOf(error)}.`, {
    cause: error,
  })
}

function nameOf(path: string): string {
  return path === '-' ? 'standard input' : path
}

function withoutMark(content: string): string {
  return content.startsWith('\ufeff') ? content.slice(1) : content
}
