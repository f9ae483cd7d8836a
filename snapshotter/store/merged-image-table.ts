import type { Statement } from 'better-sqlite3';
import type { Database } from './database';
import type { SnapshotId } from './snapshot-table';

/** The image of the merged metadata of a committed snapshot and all below it. */
export interface MergedImage {
  /** The topmost layer, to which it belongs. */
  readonly snapshotId: SnapshotId;
  /** Inode ids of the image lie below this. */
  readonly nidLimit: number;
  /** SHA-256 of the image's table of block digests, hexadecimal. */
  readonly digestsRoot: string;
  /** What was found wrong with the image file after it was built, or "". */
  readonly damage: string;
}

interface Row {
  snapshot_id: number;
  nid_limit: number;
  digests_root: string;
  damage: string;
}

/** The images of merged metadata. Deleting the snapshot of the topmost layer deletes its row here. */
export class MergedImageTable {
  readonly #find: Statement<[number], Row>;
  readonly #insert: Statement<[number, number, string]>;
  readonly #setDamage: Statement<[string, number]>;

  constructor(database: Database) {
    this.#find = database.prepare('SELECT * FROM merged_images WHERE snapshot_id = ?');
    this.#insert = database.prepare(
      'INSERT INTO merged_images (snapshot_id, nid_limit, digests_root) VALUES (?, ?, ?)',
    );
    this.#setDamage = database.prepare('UPDATE merged_images SET damage = ? WHERE snapshot_id = ?');
  }

  find(snapshotId: SnapshotId): MergedImage | undefined {
    const row = this.#find.get(snapshotId);
    if (row === undefined) return undefined;
    const { nid_limit: nidLimit, digests_root: digestsRoot, damage } = row;
    return { snapshotId, nidLimit, digestsRoot, damage };
  }

  insert({ snapshotId, nidLimit, digestsRoot }: Omit<MergedImage, 'damage'>): void {
    this.#insert.run(snapshotId, nidLimit, digestsRoot);
  }

  setDamage(snapshotId: SnapshotId, damage: string): void {
    this.#setDamage.run(damage, snapshotId);
  }
}
