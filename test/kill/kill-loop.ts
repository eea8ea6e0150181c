import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tryParseJson } from '../../src/json.ts'
import type { Effect } from '../support/history.ts'
import { checkFile, type Ack, type Report, type Seen, type Told } from './checker.ts'

// Starts a process on a store and kills it, again and again; half of the deaths come at an instant that nobody chose,
// the other half right behind something that somebody was told or that a tool did. Of the former every third is told to
// end instead, and hands over what it does.

const program = join(import.meta.dirname, 'child.ts')
const longestLifeMs = 150

interface Life {
  readonly signal: NodeJS.Signals | null
  readonly code: number | null
  readonly errors: string
}

/** Lives as one process, to its end; what is still alive so long after it is ready is killed. */
async function live(
  folder: string,
  seed: number,
  task: 'work' | 'heal' | 'poison',
  {
    killAfterMs,
    dieAt = 0,
    by = 'SIGKILL',
  }: { readonly killAfterMs: number; readonly dieAt?: number; readonly by?: NodeJS.Signals },
): Promise<Life> {
  const child = spawn(process.execPath, [program, folder, String(seed), task, String(dieAt)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'geppetto-kill-cache') },
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const closed = once(child, 'close')
  await Promise.race([once(child.stdout, 'data'), closed])
  const timer = setTimeout(() => child.kill(by), killAfterMs)
  const hang = setTimeout(() => child.kill('SIGKILL'), killAfterMs + 10_000)
  await closed
  clearTimeout(timer)
  clearTimeout(hang)
  return { signal: child.signalCode, code: child.exitCode, errors }
}

/** Kills as often as it is told, in its own folder, and heals. Gives what went wrong. */
export async function killLoop(folder: string, firstSeed: number, kills: number): Promise<readonly string[]> {
  for (let round = 0; round < kills; round += 1) {
    const seed = firstSeed + round
    const spread = Math.imul(seed, 0x9e_37_79_b1) >>> 0
    const isByLine = spread % 2 === 0
    const killAfterMs = isByLine ? 2 * longestLifeMs : (spread >>> 1) % longestLifeMs
    const by = !isByLine && (spread >>> 1) % 3 === 0 ? 'SIGTERM' : 'SIGKILL'
    const dieAt = isByLine ? 1 + ((spread >>> 1) % 16) : 0
    const life = await live(folder, seed, 'work', { killAfterMs, dieAt, by })
    if (by === 'SIGTERM' ? life.code !== 0 : life.signal !== 'SIGKILL')
      return [`the process with seed ${seed} ended by itself (${life.code}): ${life.errors}`]
  }
  return heal(folder, firstSeed + kills)
}

async function heal(folder: string, seed: number): Promise<readonly string[]> {
  const { code, signal, errors } = await live(folder, seed, 'heal', { killAfterMs: 30_000 })
  return code === 0 ? [] : [`healing ended with ${code ?? signal}: ${errors}`]
}

/** Lets a tool kill its process until its inference is given up. Gives how many processes it took with it. */
export async function poison(folder: string): Promise<number> {
  let deaths = 0
  for (let task: 'poison' | 'heal' = 'poison'; ; task = 'heal') {
    const { signal } = await live(folder, deaths, task, { killAfterMs: 30_000 })
    if (signal === null || deaths > 10) return deaths
    deaths += 1
  }
}

/** The lines of a file that were written whole. */
function lines<T>(folder: string, name: string): readonly T[] {
  const file = join(folder, name)
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text.split('\n').flatMap((line) => {
    const told = tryParseJson(line) as T | undefined // child.ts wrote it
    return told === undefined ? [] : [told]
  })
}

export function check(folder: string): Report & { readonly told: Told } {
  const told: Told = {
    acks: lines<Ack>(folder, 'acks.jsonl'),
    effects: lines<Effect>(folder, 'effects.jsonl'),
    seen: lines<Seen>(folder, 'seen.jsonl'),
  }
  return { ...checkFile(join(folder, 'sessions.db'), told), told }
}
