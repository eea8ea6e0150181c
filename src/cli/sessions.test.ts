import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { command } from '../../test/support/command-line.ts'

let folder: string
let db: string

/** Runs the command line on words, of which one may stand in double quotes. */
function geppetto(line: string): ReturnType<typeof command> {
  const args = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')
  return command(args, { env: { GEPPETTO_DB: db } })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geppetto-sessions-'))
  db = join(folder, 'sessions.db')
  await geppetto('run "What is 17 * 23?" --pace 0 --tool calculator --session sums')
  await geppetto('run "Say hello" --pace 0 --session greetings')
})
afterAll(() => rm(folder, { recursive: true }))

describe('sessions', () => {
  test('are listed, the last one first', async () => {
    const { stdout } = await geppetto('sessions list')
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/\s{2,}/)),
    ).toEqual([
      ['greetings', expect.any(String), 'idle', 'Say hello'],
      ['sums', expect.any(String), 'idle', 'What is 17 * 23?'],
    ])
    const listed = JSON.parse((await geppetto('sessions list -n 1 -o json')).stdout) as unknown
    expect(listed).toEqual([expect.objectContaining({ session_id: 'greetings', status: 'idle' })])
  })

  test('are readable by their user alone', async () => {
    expect(((await stat(db)).mode & 0o777).toString(8)).toBe('600')
  })

  test('are shown as a conversation', async () => {
    const { stdout } = await geppetto('sessions show sums')
    expect(stdout).toContain('> What is 17 * 23?')
    expect(stdout).toContain('[calculator: success] {"expression":"17 * 23"} → 391')
    expect(JSON.parse((await geppetto('sessions show sums -o json')).stdout)).toMatchObject({ version: 1 })
  })

  test('go into a file and come out of it', async () => {
    const file = join(folder, 'sums.jsonl')
    expect((await geppetto(`sessions export sums ${file}`)).exitCode).toBe(0)
    expect((await geppetto('sessions export sums')).stdout).toBe(await readFile(file, 'utf8'))
    expect((await geppetto(`sessions import ${file} --id copy`)).stdout).toBe('copy\n')
    expect((await geppetto('sessions show copy')).stdout).toBe((await geppetto('sessions show sums')).stdout)
    expect(await geppetto(`sessions import ${file}`)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('SESSION_EXISTS'),
    })
    expect(await geppetto(`sessions export sums ${file}`)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('FILE_ACCESS'),
    })
    await geppetto('sessions delete copy')
  })

  test('are forked, and go on by themselves', async () => {
    expect((await geppetto('sessions fork sums --id fork')).stdout).toBe('fork\n')
    await geppetto('run "Say more" --pace 0 --session fork')
    expect((await geppetto('sessions show fork')).stdout).toContain('17 * 23 = 391\n\n> Say more\n\nmore')
    expect((await geppetto('sessions show sums')).stdout).not.toContain('Say more')
    expect((await geppetto('sessions delete fork')).exitCode).toBe(0)
    expect((await geppetto('sessions show fork')).exitCode).toBe(1)
  })

  test.each([
    ['sessions show nobody', 1, 'SESSION_UNKNOWN'],
    ['sessions export nobody', 1, 'SESSION_UNKNOWN'],
    ['sessions fork nobody', 1, 'SESSION_UNKNOWN'],
    ['sessions fork sums --turn nobody', 1, 'TURN_UNKNOWN'],
    ['sessions delete nobody', 1, 'SESSION_UNKNOWN'],
    ['sessions import nowhere.jsonl', 2, 'FILE_ACCESS'],
    ['sessions list -n none', 2, 'USAGE'],
    ['sessions list --db .', 2, 'FILE_ACCESS: . is a folder'],
    ['trace nobody', 1, 'SESSION_UNKNOWN'],
  ])('%s says what is wrong', async (line, exitCode, says) => {
    const result = await geppetto(line)
    expect([result.exitCode, result.stderr.trimEnd().split('\n').length]).toEqual([exitCode, 1])
    expect(result.stderr).toContain(says)
  })

  test('of a file that is no session are refused', async () => {
    const file = join(folder, 'damaged.jsonl')
    await writeFile(file, '{"kind":"session"}\n')
    expect(await geppetto(`sessions import ${file}`)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('line 1'),
    })
  })
})

test('trace tells the story of a tool call', async () => {
  const { stdout } = await geppetto('trace call_1')
  expect(stdout).toMatch(/^step call_1 in session sums\n.*prompt-accepted/)
  expect(stdout).toContain('tool-execution-started')
  const traces = JSON.parse((await geppetto('trace call_1 -o json')).stdout) as { events: object[] }[]
  expect(traces[0]?.events.length).toBeGreaterThan(10)
})

describe('doctor', () => {
  test('finds nothing where all is well', async () => {
    expect(await geppetto('doctor')).toMatchObject({ exitCode: 0, stdout: 'All is well.\n' })
    expect(JSON.parse((await geppetto('doctor -o json')).stdout)).toEqual([])
  })

  test('makes no store of a name that is mistyped', async () => {
    const { exitCode, stderr } = await geppetto(`doctor --db ${folder}/mistyped.db`)
    expect(exitCode).toBeGreaterThan(0)
    expect(stderr).toContain('FILE_ACCESS')
    await expect(stat(join(folder, 'mistyped.db'))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
