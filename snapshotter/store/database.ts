import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase, { SqliteError } from 'better-sqlite3';
import { DataLossError, FailedPreconditionError } from '../errors';

/** Version of the tables below, kept in SQLite's user_version. Each entry of `migrations` leads to its index + 1. */
const migrations: readonly string[] = [
  `
  CREATE TABLE snapshots (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    key          TEXT NOT NULL UNIQUE CHECK (key <> ''),
    parent_id    INTEGER REFERENCES snapshots (id) ON DELETE RESTRICT,
    kind         INTEGER NOT NULL CHECK (kind IN (1, 2, 3)),
    domain_id    INTEGER NOT NULL,
    labels       TEXT NOT NULL,
    created_ns   INTEGER NOT NULL,
    updated_ns   INTEGER NOT NULL,
    usage_bytes  INTEGER NOT NULL DEFAULT 0,
    usage_inodes INTEGER NOT NULL DEFAULT 0,
    nid_limit    INTEGER,
    CHECK ((kind = 3) = (nid_limit IS NOT NULL))
  ) STRICT;
  CREATE INDEX snapshots_by_parent ON snapshots (parent_id);
  CREATE TABLE domains (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    name   TEXT NOT NULL UNIQUE CHECK (name <> ''),
    token  TEXT NOT NULL UNIQUE,
    secret BLOB NOT NULL CHECK (length(secret) = 32)
  ) STRICT;
  CREATE TABLE attachments (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    snapshot_id INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    domain_id   INTEGER NOT NULL,
    node_range  INTEGER NOT NULL UNIQUE,
    ino_base    INTEGER NOT NULL UNIQUE,
    ino_count   INTEGER NOT NULL CHECK (ino_count > 0),
    UNIQUE (snapshot_id, domain_id)
  ) STRICT;
  `,
  `ALTER TABLE snapshots ADD COLUMN domain_rule TEXT NOT NULL DEFAULT '';`,
  // A name may have had several ids, of which one is in force.
  `
  ALTER TABLE snapshots ADD COLUMN trust TEXT NOT NULL DEFAULT 'computed'
    CHECK (trust IN ('computed', 'unverified', 'verified', 'quarantined'));
  ALTER TABLE snapshots ADD COLUMN trust_reason TEXT NOT NULL DEFAULT '';
  ALTER TABLE snapshots ADD COLUMN damage TEXT NOT NULL DEFAULT '';
  ALTER TABLE snapshots ADD COLUMN digests_root TEXT;
  CREATE TABLE all_domains (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    name    TEXT NOT NULL CHECK (name <> ''),
    token   TEXT NOT NULL UNIQUE,
    secret  BLOB NOT NULL CHECK (length(secret) = 32),
    retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1))
  ) STRICT;
  INSERT INTO all_domains (id, name, token, secret) SELECT id, name, token, secret FROM domains;
  DROP TABLE domains;
  ALTER TABLE all_domains RENAME TO domains;
  CREATE UNIQUE INDEX domains_in_force ON domains (name) WHERE retired = 0;
  `,
  // An image of merged metadata belongs to the topmost layer, and is attached beside that layer's own. Numbers that
  // attachments have had must not come again, so the count goes on in the new table.
  `
  ALTER TABLE snapshots ADD COLUMN lower TEXT NOT NULL DEFAULT 'layers' CHECK (lower IN ('layers', 'merged'));
  CREATE TABLE merged_images (
    snapshot_id  INTEGER PRIMARY KEY REFERENCES snapshots (id) ON DELETE CASCADE,
    nid_limit    INTEGER NOT NULL CHECK (nid_limit > 0),
    digests_root TEXT NOT NULL,
    damage       TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE TABLE all_attachments (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    snapshot_id INTEGER NOT NULL REFERENCES snapshots (id) ON DELETE CASCADE,
    domain_id   INTEGER NOT NULL,
    merged      INTEGER NOT NULL DEFAULT 0 CHECK (merged IN (0, 1)),
    node_range  INTEGER NOT NULL UNIQUE,
    ino_base    INTEGER NOT NULL UNIQUE,
    ino_count   INTEGER NOT NULL CHECK (ino_count > 0),
    UNIQUE (snapshot_id, domain_id, merged)
  ) STRICT;
  INSERT INTO all_attachments (id, snapshot_id, domain_id, node_range, ino_base, ino_count)
    SELECT id, snapshot_id, domain_id, node_range, ino_base, ino_count FROM attachments;
  DELETE FROM sqlite_sequence WHERE name = 'all_attachments';
  UPDATE sqlite_sequence SET name = 'all_attachments' WHERE name = 'attachments';
  DROP TABLE attachments;
  ALTER TABLE all_attachments RENAME TO attachments;
  `,
];

/** Schema version that this program writes. */
export const SCHEMA_VERSION = migrations.length;

/** The SQLite file that holds what this program knows. Every method is synchronous; writing waits for the disk. */
export class Database implements Disposable {
  readonly #sqlite: SqliteDatabase.Database;
  readonly #path: string;

  private constructor(sqlite: SqliteDatabase.Database, path: string) {
    this.#sqlite = sqlite;
    this.#path = path;
  }

  /**
   * Opens the file, creating it (mode 0600), its directory and its tables where they are missing. Throws FailedPreconditionError for
   * a file of a later version of this program, DataLossError for a damaged one.
   */
  static open(path: string): Database {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // SQLite gives its -wal and -shm files the mode of the main file, so that one must be right before it is opened.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    const sqlite = new SqliteDatabase(path);
    try {
      sqlite.pragma('journal_mode = WAL');
      sqlite.pragma('synchronous = FULL');
      sqlite.pragma('foreign_keys = ON');
      migrate(sqlite, path);
      return new Database(sqlite, path);
    } catch (error) {
      sqlite.close();
      const damaged = error instanceof SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
      throw damaged ? new DataLossError(`${path}: damaged, ${error.message}`, { cause: error }) : error;
    }
  }

  /** Prepares a statement whose rows have the shape that the caller states. */
  prepare<Parameters extends unknown[], Row>(sql: string): SqliteDatabase.Statement<Parameters, Row> {
    return this.#sqlite.prepare<Parameters, Row>(sql);
  }

  /** Runs `work` so that all of its writes are on disk when this returns, or none if it throws. Not to be nested. */
  transaction<Result>(work: () => Result): Result {
    try {
      return this.#sqlite.transaction(work).immediate();
    } catch (error) {
      if (!(error instanceof SqliteError)) throw error;
      // SQLite's own words are about "the database".
      throw Object.assign(new SqliteError(`${this.#path}: ${error.message}`, error.code), { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#sqlite.close();
  }
}

function migrate(sqlite: SqliteDatabase.Database, path: string): void {
  const version = sqlite.pragma('user_version', { simple: true });
  if (typeof version !== 'number') throw new DataLossError(`${path}: no schema version`);
  if (version > migrations.length) {
    throw new FailedPreconditionError(
      `${path} has schema version ${version}, written by a later release; this one knows versions up to ${migrations.length}`,
    );
  }
  migrations.slice(version).forEach((statements, index) => {
    sqlite
      .transaction(() => {
        sqlite.exec(statements);
        sqlite.pragma(`user_version = ${version + index + 1}`);
      })
      .immediate();
  });
}
