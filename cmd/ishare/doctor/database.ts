import { existsSync } from 'node:fs';
import SqliteDatabase from 'better-sqlite3';
import type { ImageTrust } from '../../../ishare/image-trust';
import { errorCode } from '../../../linux/errno';
import { SCHEMA_VERSION } from '../../../snapshotter/store/database';
import { fine, type Finding } from './finding';

export interface SnapshotRow {
  readonly id: number;
  readonly name: string;
  readonly kind: number;
  readonly damage: string;
  readonly trust: ImageTrust;
  readonly trustReason: string;
  /** SHA-256 of the digest table; null where there is none. */
  readonly digestsRoot: string | null;
  /** The same of the image of its merged metadata; null where there is no such image. */
  readonly mergedDigestsRoot: string | null;
  /** What was found wrong with that image, or "". */
  readonly mergedDamage: string;
}

export interface AttachmentRow {
  readonly id: number;
  readonly nodeRange: number;
}

export interface DatabaseContent {
  readonly snapshots: ReadonlyMap<number, SnapshotRow>;
  readonly attachments: readonly AttachmentRow[];
}

export type DatabaseLook =
  | { readonly state: 'read'; readonly path: string; readonly content: DatabaseContent }
  | { readonly state: 'missing'; readonly path: string }
  | { readonly state: 'other-schema'; readonly path: string; readonly schema: number }
  | { readonly state: 'unreadable'; readonly path: string; readonly problem: string };

const SNAPSHOTS = `SELECT id, key AS name, kind, one.damage, trust, trust_reason AS trustReason,
  one.digests_root AS digestsRoot, merged.digests_root AS mergedDigestsRoot, coalesce(merged.damage, '') AS mergedDamage
  FROM snapshots AS one LEFT JOIN merged_images AS merged ON merged.snapshot_id = one.id`;
const ATTACHMENTS = 'SELECT id, node_range AS nodeRange FROM attachments';

/** Reads the database without changing it; a daemon may be using it. Synchronous. */
export function lookAtDatabase(path: string): DatabaseLook {
  if (!existsSync(path)) return { state: 'missing', path };
  try {
    const sqlite = new SqliteDatabase(path, { readonly: true, fileMustExist: true });
    try {
      return read(sqlite, path);
    } finally {
      sqlite.close();
    }
  } catch (error) {
    if (errorCode(error)?.startsWith('SQLITE_') !== true) throw error;
    return { state: 'unreadable', path, problem: (error as Error).message };
  }
}

function read(sqlite: SqliteDatabase.Database, path: string): DatabaseLook {
  // One transaction: a daemon may write between two questions.
  const look = sqlite.transaction((): DatabaseLook => {
    const schema = Number(sqlite.pragma('user_version', { simple: true }));
    if (schema !== SCHEMA_VERSION) return { state: 'other-schema', path, schema };
    const broken = String(sqlite.pragma('quick_check(1)', { simple: true }));
    if (broken !== 'ok') return { state: 'unreadable', path, problem: broken };
    const snapshots = sqlite.prepare<[], SnapshotRow>(SNAPSHOTS).all();
    const attachments = sqlite.prepare<[], AttachmentRow>(ATTACHMENTS).all();
    return {
      state: 'read',
      path,
      content: { snapshots: new Map(snapshots.map((row) => [row.id, row])), attachments },
    };
  });
  return look();
}

/** `filesThere`: whether images or directories of snapshots exist. */
export function databaseFindings(look: DatabaseLook, filesThere: boolean): Finding[] {
  const { path } = look;
  const problem = (what: string, why: string, remedy: string): Finding[] => [
    { area: 'database', level: 'problem', what, where: path, why, remedy },
  ];
  switch (look.state) {
    case 'read':
      return [fine('database', 'the database can be read', path)];
    case 'missing':
      if (!filesThere) return [fine('database', 'no database and no files: nothing was pulled yet', path)];
      return problem(
        'the database is missing',
        'the next daemon throws away all images and containers, for no row owns them',
        'put it back before a daemon starts, or pull everything again',
      );
    case 'other-schema':
      return look.schema > SCHEMA_VERSION
        ? problem(
            'the database is of a later release',
            `schema version ${look.schema}, this program knows ${SCHEMA_VERSION}: nothing was compared with it`,
            'use the doctor of that release',
          )
        : problem(
            'the database is of an earlier release',
            `schema version ${look.schema} of ${SCHEMA_VERSION}: nothing was compared with it`,
            'start the daemon, which brings it up to date',
          );
    case 'unreadable':
      return problem(
        'the database cannot be read',
        `${look.problem}: nothing was compared with it`,
        'where it is damaged, restore it from a backup, or stop all containers, empty ROOT and pull again',
      );
  }
}
