import { existsSync, statSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { GeppettoError, messageOf } from '../errors.ts'
import { SqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import type { Io } from './io.ts'

/** Where sessions are kept, as the options name it. */
export interface StoreOptions {
  readonly db?: string
}

/** The file of the store: --db, GEPPETTO_DB, or one in the platform's folder for the data of programs. */
export function storeFile({ db }: StoreOptions, { env }: Pick<Io, 'env'>, platform = process.platform): string {
  const named = db ?? env['GEPPETTO_DB'] ?? ''
  return named === '' ? join(dataFolder(env, platform), 'geppetto', 'geppetto.db') : named
}

function dataFolder(env: Io['env'], platform: NodeJS.Platform): string {
  const home = env['HOME'] ?? homedir()
  if (platform === 'win32') return env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local')
  if (platform === 'darwin') return join(home, 'Library', 'Application Support')
  const named = env['XDG_DATA_HOME'] ?? ''
  return named === '' ? join(home, '.local', 'share') : named
}

/** Opens the store that the options name; its folder is made, for this user alone, when there is none. */
export async function openStore(options: StoreOptions, io: Io): Promise<Store> {
  const file = storeFile(options, io)
  if (file !== ':memory:') {
    try {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      // What is said in a session is its user's alone; the files beside it take over the mode.
      await (await open(file, 'a', 0o600)).close()
    } catch (error) {
      if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
        throw new GeppettoError('FILE_ACCESS', `${file} is a folder: give the path of a file in it.`, { cause: error })
      if (existsSync(file)) return SqliteStore.open(file) // it says itself what is wrong with a file that is there
      throw new GeppettoError('FILE_ACCESS', `${file} cannot be made: ${messageOf(error)}.`, {
        cause: error,
      })
    }
  }
  return SqliteStore.open(file)
}
