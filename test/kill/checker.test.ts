import { createHash } from 'node:crypto'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeEvent } from '../../src/events/codec.ts'
import { StoredSession } from '../../src/session/stored-session.ts'
import { SqliteStore } from '../../src/store/sqlite-store.ts'
import type { Effect } from '../support/history.ts'
import { workingEngine } from '../support/session-work.ts'
import { countingIds } from '../support/values.ts'
import { checkFile, type Seen, type Told } from './checker.ts'

// A checker that cannot fail proves nothing: each violation is planted in a copy of a file that has none.

const folder = mkdtempSync(join(tmpdir(), 'geppetto-checker-'))
const original = join(folder, 'original.db')
let told: Told = { acks: [], effects: [], seen: [] }

beforeAll(async () => {
  const store = await SqliteStore.open(original)
  const effects: Effect[] = []
  const engine = workingEngine((effect) => effects.push(effect))
  const session = await StoredSession.open(store, 's', { engine, newId: countingIds() })
  const inference = await session.submit('Do one', { idempotencyKey: 'one' })
  await inference.result
  const seen: Seen[] = []
  for await (const event of inference) seen.push({ session: 's', viewer: 'v', after: 0, event: encodeEvent(event) })
  await session.close()
  await store.close()
  // The viewer followed one inference, and its session opens turns too: all that it saw, up to the first of these.
  const prefix = seen.filter(({ event }, at) => event['ordinal'] === at + 1)
  told = { acks: [{ session: 's', inferenceId: inference.id, key: 'one' }], effects, seen: prefix }
})
afterAll(() => rmSync(folder, { recursive: true }))

function planted(sql: string): string {
  const file = join(folder, 'planted.db')
  copyFileSync(original, file)
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: false })
  for (const table of ['event', 'block', 'snapshot']) database.exec(`DROP TRIGGER ${table}_is_never_changed`)
  database.exec(sql)
  database.close()
  return file
}

/** Makes the hashes of the block log and of the snapshots those of what they hold now. */
function rehashed(sql: string): string {
  const file = planted(sql)
  const database = new DatabaseSync(file)
  const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')
  const hashes: string[] = []
  for (const row of database.prepare('SELECT position, body FROM block ORDER BY position').all()) {
    hashes.push(hashOf(`${hashes.at(-1) ?? ''}\n${String(row['body'])}`))
    database.prepare('UPDATE block SET hash = ? WHERE position = ?').run(hashes.at(-1) ?? '', row['position'] ?? 0)
  }
  for (const row of database.prepare('SELECT * FROM snapshot').all()) {
    const { turn_id, inference_id, phase, metadata, data, number } = row
    const ranges = JSON.parse(String(row['ranges'])) as readonly (readonly number[])[] // as JSON.stringify wrote it
    const lastHash = hashes[(ranges.at(-1)?.[1] ?? 0) - 1]
    const said = [turn_id, inference_id, phase, ranges, metadata, data, lastHash, hashes[Number(data)]]
    database.prepare('UPDATE snapshot SET hash = ? WHERE number = ?').run(hashOf(JSON.stringify(said)), number ?? 0)
  }
  database.close()
  return file
}

test('a file that keeps every promise has no violations', () => {
  const { found, sessions, events } = checkFile(original, told)
  expect(found).toEqual([])
  expect([sessions, events.get('inference-finished'), told.effects.length]).toEqual([1, 1, 3])
  expect(told.seen.length).toBeGreaterThan(10)
})

const last = '(SELECT max(ordinal) FROM event)'
const again = (type: string, body: string) => `
  INSERT INTO event SELECT session, ordinal + 1, '${type}', ${body} FROM event WHERE ordinal = ${last};
  UPDATE session SET ordinal = ordinal + 1`
const word = `replace(body, '"Hello"', '"Adieu"')`

test.each<readonly [what: string, sql: string, says: RegExp]>([
  ['an event that is gone', 'DELETE FROM event WHERE ordinal = 5', /the ordinal at place 5 is 6/],
  ['a last event that is gone', `DELETE FROM event WHERE ordinal = ${last}`, /never ends/],
  ['a session that counts wrongly', 'UPDATE session SET ordinal = ordinal + 1', /and the session says/],
  ['a second end', again('inference-finished', 'body'), /comes after the end/],
  [
    'something after the end',
    again('log', `json_set(body, '$.level', 'info', '$.message', 'x')`),
    /comes after the end/,
  ],
  [
    'an event that was changed',
    `UPDATE event SET body = ${word} WHERE type = 'text-segment-finished'`,
    /saw something else/,
  ],
  [
    'a turn that is not the fold',
    `UPDATE event SET body = ${word} WHERE type = 'text-segment-finished'`,
    /is not what the events make/,
  ],
  ['a piece that was changed', `UPDATE block SET body = ${word}`, /is not what its hash says/],
  ['a piece that is gone', 'DELETE FROM block WHERE position = 1', /pieces, and the session says/],
  [
    'a snapshot that was changed',
    `UPDATE snapshot SET ranges = '[[0,1]]'`,
    /snapshot final at \d+ is not what its hash says/,
  ],
  ['a snapshot that is gone', `DELETE FROM snapshot WHERE phase = 'final'`, /has no last snapshot/],
  ['work that is left', 'UPDATE session SET has_work = 1', /said to have work/],
  ['a run that is left', `UPDATE session SET state = json_set(state, '$.active', json('{}'))`, /said to run/],
  [
    'a prompt that is left',
    `UPDATE session SET state = json_set(state, '$.queue', json('[1]'))`,
    /queue should be empty/,
  ],
  [
    'an approval that is left',
    `UPDATE session SET state = json_set(state, '$.approvals', json('[1]'))`,
    /approvals should be empty/,
  ],
  ['a key that was forgotten', 'DELETE FROM submission', /the key one was forgotten/],
  ['a key with another answer', `UPDATE submission SET answer = '{"inference_id":"x"}'`, /is answered with x/],
  ['a session that is gone', 'DELETE FROM session; DELETE FROM event', /session s was acknowledged and is gone/],
  ['rows of nobody', 'DELETE FROM session', /a row belongs to nothing/],
  ['metadata that was changed', `UPDATE snapshot SET metadata = '{}'`, /is not what its hash says/],
])('%s is found', (_what, sql, says) => {
  expect(checkFile(planted(sql), told).found.join('\n')).toMatch(says)
})

test('a turn that was changed with all its hashes is found', () => {
  const { found } = checkFile(rehashed(`UPDATE block SET body = ${word}`), told)
  expect(found.join('\n')).toMatch(/is not what the events make/)
  expect(found.join('\n')).not.toMatch(/hash/)
})

test.each<readonly [what: string, lie: (told: Told) => Partial<Told>, says: RegExp]>([
  [
    'a prompt',
    () => ({ acks: [{ session: 's', inferenceId: 'x', key: 'k' }] }),
    /x was acknowledged and is not in the log/,
  ],
  ['a cancel', () => ({ acks: [{ session: 's', cancelled: 'x' }] }), /the cancel of x was acknowledged/],
  ['a decision', () => ({ acks: [{ session: 's', decided: 'x' }] }), /the decision on x was acknowledged/],
  ['a fork', () => ({ acks: [{ session: 's', forked: 'x' }] }), /it was forked from x/],
  ['a session', () => ({ acks: [{ session: 'x' }] }), /session x was acknowledged and is gone/],
  ['a second start', ({ effects }) => ({ effects: [...effects, ...effects] }), /tool_none started 2 times/],
  [
    'a second key',
    ({ effects }) => ({ effects: [...effects, ...effects.map((start) => ({ ...start, idempotencyKey: 'x' }))] }),
    /two idempotency keys/,
  ],
  ['a view with a gap', ({ seen }) => ({ seen: seen.toSpliced(3, 1) }), /saw something else/],
  ['a view in another order', ({ seen }) => ({ seen: seen.toReversed() }), /saw something else/],
])('somebody who was told of %s that is not there is heard', (_what, lie, says) => {
  expect(checkFile(original, { ...told, ...lie(told) }).found.join('\n')).toMatch(says)
})
