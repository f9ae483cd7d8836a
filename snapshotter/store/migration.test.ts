import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { Kind } from '../../proto/snapshots';
import type { DomainId } from './domain-table';
import { MetadataStore } from './metadata-store';
import type { SnapshotId } from './snapshot-table';

/** The tables of the first version, with a layer, a container on it, a domain and an attachment. */
const FIRST_VERSION = `
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
  INSERT INTO snapshots VALUES (3, 'layer', NULL, ${Kind.COMMITTED}, 0, '{}', 1, 2, 4096, 5, 60);
  INSERT INTO snapshots VALUES (7, 'container', 3, ${Kind.ACTIVE}, 2, '{"a":"b"}', 3, 3, 0, 0, NULL);
  INSERT INTO domains VALUES (2, 'team', 'c0ffee', zeroblob(32));
  INSERT INTO attachments VALUES (9, 3, 2, 4, 65536, 60);
`;
const SECOND_VERSION = `${FIRST_VERSION} ALTER TABLE snapshots ADD COLUMN domain_rule TEXT NOT NULL DEFAULT '';`;

/** The layer was attached once before, in a domain that is gone. */
const THIRD_VERSION = `${SECOND_VERSION}
  ALTER TABLE snapshots ADD COLUMN trust TEXT NOT NULL DEFAULT 'computed';
  ALTER TABLE snapshots ADD COLUMN trust_reason TEXT NOT NULL DEFAULT '';
  ALTER TABLE snapshots ADD COLUMN damage TEXT NOT NULL DEFAULT '';
  ALTER TABLE snapshots ADD COLUMN digests_root TEXT;
  ALTER TABLE domains ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;
  INSERT INTO attachments VALUES (12, 3, 5, 7, 70000, 60);
  DELETE FROM attachments WHERE id = 12;
`;

const TEAM = 2 as DomainId;
const LAYER = 3 as SnapshotId;

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'migration-'));
  path = join(directory, 'metadata.db');
});

afterEach(() => rmSync(directory, { recursive: true }));

test.each([
  [1, FIRST_VERSION],
  [2, SECOND_VERSION],
  [3, THIRD_VERSION],
])('a database of version %d is taken over with all that is in it', (version, sql) => {
  const sqlite = new SqliteDatabase(path);
  sqlite.exec(sql);
  sqlite.pragma(`user_version = ${version}`);
  sqlite.close();
  using store = MetadataStore.open(path);
  expect(store.snapshots.find('layer')).toMatchObject({
    id: LAYER,
    kind: Kind.COMMITTED,
    usage: { bytes: 4096, inodes: 5 },
    nidLimit: 60,
    trust: 'computed',
    damage: '',
    digestsRoot: undefined,
  });
  expect(store.snapshots.find('container')).toMatchObject({
    parentId: LAYER,
    domainId: TEAM,
    domainRule: '',
    // It keeps the mounts that it has.
    lower: 'layers',
    labels: { a: 'b' },
  });
  expect(store.domains.list()).toEqual([
    { id: TEAM, name: 'team', token: 'c0ffee', secret: Buffer.alloc(32) },
  ]);
  expect(store.attachments.find(LAYER, TEAM)).toMatchObject({ id: 9, nodeRange: 4, inoBase: 65536 });
  // Numbers that were used stay used.
  const last = version === 3 ? 12 : 9;
  expect(store.attachments.ensure(LAYER, TEAM, 9, 'merged').id).toBe(last + 1);
  expect(store.attachments.find(LAYER, TEAM)?.id).toBe(9);
  expect(store.domains.ensure('other').id).toBeGreaterThan(TEAM);
  expect(store.snapshots.reserveId()).toBeGreaterThan(7);
});
