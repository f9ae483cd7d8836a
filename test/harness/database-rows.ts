import SqliteDatabase from 'better-sqlite3';

export interface DatabaseRows {
  readonly snapshots: readonly {
    readonly id: number;
    readonly name: string;
    readonly kind: number;
    readonly parent: string | null;
  }[];
  readonly attachments: number;
  /** Committed snapshots that have an image of merged metadata. */
  readonly merged: readonly number[];
  /** Names in force, sorted. */
  readonly domains: readonly string[];
  /** Ids that domains had before they were rotated. */
  readonly retired: number;
}

const SNAPSHOTS = `SELECT one.id, one.key AS name, one.kind, parent.key AS parent
  FROM snapshots AS one LEFT JOIN snapshots AS parent ON parent.id = one.parent_id`;

/** The rows of a database that a daemon may be using, at one moment. */
export function readRows(path: string): DatabaseRows {
  const sqlite = new SqliteDatabase(path, { readonly: true, fileMustExist: true });
  try {
    return sqlite.transaction(() => {
      const count = (table: string): number =>
        sqlite.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get()!;
      return {
        snapshots: sqlite.prepare<[], DatabaseRows['snapshots'][number]>(SNAPSHOTS).all(),
        attachments: count('attachments'),
        merged: sqlite.prepare<[], number>('SELECT snapshot_id FROM merged_images').pluck().all(),
        domains: sqlite
          .prepare<[], string>('SELECT name FROM domains WHERE retired = 0 ORDER BY name')
          .pluck()
          .all(),
        retired: count('domains WHERE retired = 1'),
      };
    })();
  } finally {
    sqlite.close();
  }
}
