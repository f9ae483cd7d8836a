import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { MetadataStore } from '../../../snapshotter/store/metadata-store';
import { SCHEMA_VERSION } from '../../../snapshotter/store/database';
import { databaseFindings, lookAtDatabase } from './database';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ishare-doctor-'));
  file = join(directory, 'metadata.db');
});

afterEach(() => rmSync(directory, { recursive: true }));

function levels(filesThere = true): string[] {
  return databaseFindings(lookAtDatabase(file), filesThere).map(({ level, what }) => `${level}: ${what}`);
}

test('the database of this program is read while it is in use', () => {
  using store = MetadataStore.open(file);
  store.transaction(() => store.domains.ensure('one'));
  const look = lookAtDatabase(file);
  expect(look).toMatchObject({ state: 'read', content: { attachments: [] } });
  expect(levels()).toEqual(['ok: the database can be read']);
});

test('one that is missing matters where there are files', () => {
  expect(levels(false)).toEqual(['ok: no database and no files: nothing was pulled yet']);
  expect(levels(true)).toEqual(['problem: the database is missing']);
});

test.each([
  [SCHEMA_VERSION + 1, 'a later'],
  [SCHEMA_VERSION - 1, 'an earlier'],
])('of schema version %d: it is of %s release', (version, which) => {
  const sqlite = new SqliteDatabase(file);
  sqlite.pragma(`user_version = ${version}`);
  sqlite.close();
  expect(levels()).toEqual([`problem: the database is of ${which} release`]);
});

test('noise is a damaged one', () => {
  writeFileSync(file, Buffer.alloc(8192, 'noise'));
  expect(levels()).toEqual(['problem: the database cannot be read']);
});
