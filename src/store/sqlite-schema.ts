import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { GeppettoError } from '../errors.ts'
import { checkpointPages } from './sqlite-reserve.ts'

/** Says in the file's header whose it is: "gptt". */
const applicationId = 0x67707474

/** What brings a file from the version that is its place in this list to the next one. Only ever added to. */
const migrations: readonly string[] = [
  `
  CREATE TABLE store (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    first_epoch INTEGER NOT NULL -- above every epoch of a deleted session
  ) STRICT;
  INSERT INTO store VALUES (1, 0);

  CREATE TABLE session (
    number INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    incarnation TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    first_ordinal INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT '{}',
    has_work INTEGER NOT NULL DEFAULT 0,
    blocks INTEGER NOT NULL DEFAULT 0,
    snapshots INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL,
    owner TEXT,
    lease_until INTEGER NOT NULL DEFAULT 0, -- milliseconds since 1970
    lease_ms INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX session_by_change ON session (updated_at, session_id);
  CREATE INDEX session_with_work ON session (updated_at, session_id) WHERE has_work = 1;

  CREATE TABLE event (
    session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (session, ordinal)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE name (
    name TEXT NOT NULL,
    session INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (name, session, ordinal),
    FOREIGN KEY (session, ordinal) REFERENCES event ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX name_by_event ON name (session, ordinal);

  CREATE TABLE block (
    session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    position INTEGER NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (session, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE snapshot (
    session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    number INTEGER NOT NULL,
    turn_id TEXT NOT NULL,
    inference_id TEXT,
    phase TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    at TEXT NOT NULL,
    ranges TEXT NOT NULL,
    metadata TEXT NOT NULL,
    data INTEGER NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (session, number)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX snapshot_by_turn ON snapshot (session, turn_id, number);

  CREATE TABLE submission (
    session INTEGER NOT NULL REFERENCES session ON DELETE CASCADE,
    key TEXT NOT NULL,
    hash TEXT NOT NULL,
    answer TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (session, key)
  ) STRICT, WITHOUT ROWID;

  CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
    BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
  CREATE TRIGGER block_is_never_changed BEFORE UPDATE ON block
    BEGIN SELECT RAISE(ABORT, 'a block is never changed'); END;
  CREATE TRIGGER snapshot_is_never_changed BEFORE UPDATE ON snapshot
    BEGIN SELECT RAISE(ABORT, 'a snapshot is never changed'); END;
  `,
  `
  ALTER TABLE session ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
  CREATE INDEX session_of_tenant ON session (tenant, updated_at, session_id);
  `,
  // Those of them count that are above the ordinal of their session; the others are in their place.
  `
  CREATE TABLE recent (
    place INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX recent_of_session ON recent (session, ordinal);
  CREATE TRIGGER recent_is_never_changed BEFORE UPDATE ON recent
    BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
  `,
]

/** A connection to the store in `file`, which is made when it is not there. What is not a store is not touched. */
export function openDatabase(file: string, busyMs: number): DatabaseSync {
  if (file !== ':memory:' && existsSync(file)) checkBeforeWriting(file, busyMs)
  const database = new DatabaseSync(file, { timeout: busyMs })
  try {
    // FULL: a commit is on the disk when it returns, and not only with the system.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864')
    database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`)
    migrate(database, file)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

function checkBeforeWriting(file: string, busyMs: number): void {
  const database = new DatabaseSync(file, { readOnly: true, timeout: busyMs })
  try {
    versionOf(database, file)
  } finally {
    database.close()
  }
}

function migrate(database: DatabaseSync, file: string): void {
  // Takes the lock even when there is nothing to do: who cannot write is told now.
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = versionOf(database, file)
    for (const migration of migrations.slice(version)) database.exec(migration)
    if (version < migrations.length) {
      database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length}`)
    }
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function versionOf(database: DatabaseSync, file: string): number {
  const version = pragma(database, 'user_version')
  const application = pragma(database, 'application_id')
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count']
  const isNew = version === 0 && application === 0 && tables === 0
  if (application !== applicationId && !isNew) {
    throw new GeppettoError(
      'STORE_FAILED',
      `${file} is an SQLite database of another program, and was not touched; give the path of a store, or of a new file.`,
      { details: { file } },
    )
  }
  if (version > migrations.length) {
    throw new GeppettoError(
      'STORE_VERSION',
      `The store ${file} was written by a newer version of geppetto (format ${version}, this one knows ${migrations.length}), and was not touched; use that version.`,
      { details: { file, version } },
    )
  }
  return version
}

function pragma(database: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
}
