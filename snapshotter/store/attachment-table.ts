import type { Statement } from 'better-sqlite3';
import { ResourceExhaustedError } from '../errors';
import type { Database } from './database';
import type { DomainId } from './domain-table';
import type { SnapshotId } from './snapshot-table';

/** Number of an attachment. Never used again after its end. */
export type AttachmentId = number & { readonly brand: 'AttachmentId' };

/** What an attachment is of: the image of a layer alone, or of the metadata of it and all below it. */
export type AttachedForm = 'layer' | 'merged';

/**
 * One image as one domain sees it, with inode numbers of its own: all images share a superblock, so equal
 * numbers in two of them would look like hard links. The numbers [inoBase, inoBase + inoCount) stay for its life.
 */
export interface Attachment {
  readonly id: AttachmentId;
  readonly snapshotId: SnapshotId;
  readonly domainId: DomainId;
  /** Which range of the images mount's node ids is its own; see nodeRange of LayerAttachment. */
  readonly nodeRange: number;
  readonly inoBase: number;
  readonly inoCount: number;
}

interface Row {
  id: number;
  snapshot_id: number;
  domain_id: number;
  node_range: number;
  ino_base: number;
  ino_count: number;
}

/** Numbers below are for what belongs to no image, such as the root of the mount. */
export const FIRST_INO = 65536;
/** Ranges of node ids are numbered 1 to this. */
export const LAST_NODE_RANGE = 2 ** 20 - 1;
/** overlayfs (xino) takes the bits above for itself. */
export const INO_LIMIT = 2 ** 48;

/** The attachments. Deleting a snapshot deletes its attachments and frees their numbers. */
export class AttachmentTable {
  readonly #find: Statement<[number, number, number], Row>;
  readonly #bySnapshot: Statement<[number], Row>;
  readonly #ranges: Statement<[], Pick<Row, 'ino_base' | 'ino_count'>>;
  readonly #rangeTaken: Statement<[number], { id: number }>;
  readonly #lastId: Statement<[], { seq: number }>;
  readonly #insert: Statement<[number, number, number, number, number, number]>;

  constructor(database: Database) {
    this.#find = database.prepare(
      'SELECT * FROM attachments WHERE snapshot_id = ? AND domain_id = ? AND merged = ?',
    );
    this.#bySnapshot = database.prepare('SELECT * FROM attachments WHERE snapshot_id = ? ORDER BY id');
    this.#ranges = database.prepare('SELECT ino_base, ino_count FROM attachments ORDER BY ino_base');
    this.#rangeTaken = database.prepare('SELECT id FROM attachments WHERE node_range = ?');
    this.#lastId = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'attachments'");
    this.#insert = database.prepare(
      `INSERT INTO attachments (snapshot_id, domain_id, merged, node_range, ino_base, ino_count)
       VALUES (?, ?, ?, ?, ?, ?)`,
    );
  }

  find(snapshotId: SnapshotId, domainId: DomainId, form: AttachedForm = 'layer'): Attachment | undefined {
    const row = this.#find.get(snapshotId, domainId, Number(form === 'merged'));
    return row === undefined ? undefined : fromRow(row);
  }

  /** The attachments of one committed snapshot, in every domain that has used it and in both forms. */
  ofSnapshot(snapshotId: SnapshotId): Attachment[] {
    return this.#bySnapshot.all(snapshotId).map(fromRow);
  }

  /**
   * The attachment of this pair, made where it is new, with room for `inoCount` inode numbers. A new one takes the
   * lowest gap that is wide enough, so that numbers stay within 32 bits while they can. Throws
   * ResourceExhaustedError when no gap below 2^48 is, or a million attachments live.
   */
  ensure(
    snapshotId: SnapshotId,
    domainId: DomainId,
    inoCount: number,
    form: AttachedForm = 'layer',
  ): Attachment {
    const known = this.find(snapshotId, domainId, form);
    if (known !== undefined) return known;
    const inoBase = this.#lowestGap(inoCount);
    const nodeRange = this.#freeNodeRange();
    const merged = Number(form === 'merged');
    const { lastInsertRowid } = this.#insert.run(snapshotId, domainId, merged, nodeRange, inoBase, inoCount);
    return {
      id: Number(lastInsertRowid) as AttachmentId,
      snapshotId,
      domainId,
      nodeRange,
      inoBase,
      inoCount,
    };
  }

  /** The ranges are used in turn, so that one comes back only after all the others have been used. */
  #freeNodeRange(): number {
    const used = this.#lastId.get()?.seq ?? 0;
    for (let step = 0; step < LAST_NODE_RANGE; step += 1) {
      const range = ((used + step) % LAST_NODE_RANGE) + 1;
      if (this.#rangeTaken.get(range) === undefined) return range;
    }
    throw new ResourceExhaustedError(`all ${LAST_NODE_RANGE} ranges of node ids are in use`);
  }

  #lowestGap(count: number): number {
    let start = FIRST_INO;
    for (const range of this.#ranges.iterate()) {
      if (range.ino_base - start >= count) break;
      start = range.ino_base + range.ino_count;
    }
    if (start + count > INO_LIMIT) {
      throw new ResourceExhaustedError(`no ${count} inode numbers in a row are left below 2^48`);
    }
    return start;
  }
}

function fromRow(row: Row): Attachment {
  return {
    id: row.id as AttachmentId,
    snapshotId: row.snapshot_id as SnapshotId,
    domainId: row.domain_id as DomainId,
    nodeRange: row.node_range,
    inoBase: row.ino_base,
    inoCount: row.ino_count,
  };
}
