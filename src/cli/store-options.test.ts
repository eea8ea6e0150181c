import { expect, test } from 'vitest'
import { storeFile } from './store-options.ts'

test.each<readonly [string | undefined, Record<string, string>, NodeJS.Platform, string]>([
  ['named.db', { GEPPETTO_DB: 'other.db' }, 'linux', 'named.db'],
  [undefined, { GEPPETTO_DB: 'other.db' }, 'linux', 'other.db'],
  [undefined, { HOME: '/home/ada' }, 'linux', '/home/ada/.local/share/geppetto/geppetto.db'],
  [undefined, { HOME: '/home/ada', XDG_DATA_HOME: '/data' }, 'linux', '/data/geppetto/geppetto.db'],
  [undefined, { HOME: '/Users/ada' }, 'darwin', '/Users/ada/Library/Application Support/geppetto/geppetto.db'],
])('--db %j and %j on %s give %s', (db, env, platform, expected) => {
  expect(storeFile(db === undefined ? {} : { db }, { env }, platform)).toBe(expected)
})
