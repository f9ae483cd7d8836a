import type { Statement } from 'better-sqlite3';
import { Kind, type Labels } from '../../proto/snapshots';
import { DataLossError } from '../errors';
import type { SnapshotInfo, SnapshotKind, SnapshotUsage } from '../snapshot-info';
import type { ImageTrust } from '../../ishare/image-trust';
import type { Database } from './database';
import type { DomainId } from './domain-table';

/** Number of a snapshot for as long as it lives, before and after commit. Names its directory and its image. */
export type SnapshotId = number & { readonly brand: 'SnapshotId' };

/**
 * What an active snapshot or view lies above: the images of its parents one by one, or the one of their merged metadata. It
 * is decided when the snapshot is made, and kept: mounts never change.
 */
export type Lower = 'layers' | 'merged';

export interface Snapshot extends SnapshotInfo {
  readonly id: SnapshotId;
  readonly parentId: SnapshotId | undefined;
  /** Decided when an active snapshot or view is made; of no meaning for a committed one. */
  readonly domainId: DomainId;
  /** What in the configuration decided it; "" where nothing did, or nothing wrote it down. */
  readonly domainRule: string;
  /** Of no meaning for a committed one. */
  readonly lower: Lower;
  /** Stored at commit; zero for other kinds, whose usage changes. */
  readonly usage: SnapshotUsage;
  /** Inode ids of a committed snapshot's image lie below this. Zero for other kinds. */
  readonly nidLimit: number;
  /** How far the fingerprints of a committed snapshot's image are believed, and why no further, or "". */
  readonly trust: ImageTrust;
  readonly trustReason: string;
  /** What was found wrong with the image file after it was built, or "". */
  readonly damage: string;
  /** SHA-256 of the image's table of block digests, hexadecimal; undefined where it has none. */
  readonly digestsRoot: string | undefined;
}

export interface NewSnapshot {
  readonly id: SnapshotId;
  readonly key: string;
  readonly parentId: SnapshotId | undefined;
  readonly kind: typeof Kind.ACTIVE | typeof Kind.VIEW;
  readonly domainId: DomainId;
  readonly domainRule: string;
  /** The layers one by one, where it is left out. */
  readonly lower?: Lower;
  readonly labels: Readonly<Labels>;
  readonly nowNs: bigint;
}

export interface CommittedSnapshot {
  readonly name: string;
  readonly parentId: SnapshotId | undefined;
  readonly labels: Readonly<Labels>;
  readonly usage: SnapshotUsage;
  readonly nidLimit: number;
  readonly trust: ImageTrust;
  readonly digestsRoot: string | undefined;
  readonly nowNs: bigint;
}

/** A row as SQLite gives it; with safe integers on, every number is a bigint. */
interface Row {
  id: bigint;
  key: string;
  parent_id: bigint | null;
  parent_key: string | null;
  kind: bigint;
  domain_id: bigint;
  domain_rule: string;
  lower: Lower;
  labels: string;
  created_ns: bigint;
  updated_ns: bigint;
  usage_bytes: bigint;
  usage_inodes: bigint;
  nid_limit: bigint | null;
  trust: ImageTrust;
  trust_reason: string;
  damage: string;
  digests_root: string | null;
}

const SELECT = 'SELECT s.*, p.key AS parent_key FROM snapshots s LEFT JOIN snapshots p ON p.id = s.parent_id';

/** The snapshots. Callers wrap what belongs together in Database.transaction. */
export class SnapshotTable {
  readonly #byKey: Statement<[string], Row>;
  readonly #byId: Statement<[number], Row>;
  readonly #chain: Statement<[number], Row>;
  readonly #after: Statement<[number, number], Row>;
  readonly #children: Statement<[number], { count: number }>;
  readonly #insert: Statement<
    [number, string, number | null, number, number, string, Lower, string, bigint, bigint]
  >;
  readonly #commit: Statement<
    [
      string,
      number | null,
      number,
      string,
      bigint,
      bigint,
      number,
      number,
      number,
      ImageTrust,
      string | null,
      number,
    ]
  >;
  readonly #setTrust: Statement<[ImageTrust, string, number]>;
  readonly #setDamage: Statement<[string, number]>;
  readonly #damaged: Statement<[], Row>;
  readonly #setLabels: Statement<[string, bigint, number]>;
  readonly #delete: Statement<[number]>;
  #lastId: number;

  constructor(database: Database) {
    const rows = <Parameters extends unknown[]>(sql: string): Statement<Parameters, Row> =>
      database.prepare<Parameters, Row>(sql).safeIntegers();
    this.#byKey = rows(`${SELECT} WHERE s.key = ?`);
    this.#byId = rows(`${SELECT} WHERE s.id = ?`);
    this.#chain = rows(
      `WITH RECURSIVE chain (id, depth) AS (
         SELECT ?, 0 UNION ALL
         SELECT s.parent_id, depth + 1 FROM snapshots s JOIN chain ON s.id = chain.id WHERE s.parent_id IS NOT NULL
       ) ${SELECT} JOIN chain ON chain.id = s.id ORDER BY chain.depth`,
    );
    this.#after = rows(`${SELECT} WHERE s.id > ? ORDER BY s.id LIMIT ?`);
    this.#children = database.prepare('SELECT count(*) AS count FROM snapshots WHERE parent_id = ?');
    this.#insert = database.prepare(
      `INSERT INTO snapshots (id, key, parent_id, kind, domain_id, domain_rule, lower, labels, created_ns, updated_ns)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#commit = database.prepare(
      `UPDATE snapshots SET key = ?, parent_id = ?, kind = ?, labels = ?, created_ns = ?, updated_ns = ?,
       usage_bytes = ?, usage_inodes = ?, nid_limit = ?, trust = ?, digests_root = ? WHERE id = ?`,
    );
    this.#setTrust = database.prepare('UPDATE snapshots SET trust = ?, trust_reason = ? WHERE id = ?');
    this.#setDamage = database.prepare('UPDATE snapshots SET damage = ? WHERE id = ?');
    this.#damaged = rows(`${SELECT} WHERE s.damage <> ''`);
    this.#setLabels = database.prepare('UPDATE snapshots SET labels = ?, updated_ns = ? WHERE id = ?');
    this.#delete = database.prepare('DELETE FROM snapshots WHERE id = ?');
    const last = database
      .prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'snapshots'")
      .get();
    this.#lastId = last?.seq ?? 0;
  }

  /** A number that no snapshot has had. One that is never inserted may be given out again by the next process. */
  reserveId(): SnapshotId {
    this.#lastId += 1;
    return this.#lastId as SnapshotId;
  }

  find(key: string): Snapshot | undefined {
    const row = this.#byKey.get(key);
    return row === undefined ? undefined : fromRow(row);
  }

  get(id: SnapshotId): Snapshot | undefined {
    const row = this.#byId.get(id);
    return row === undefined ? undefined : fromRow(row);
  }

  /** The snapshot `id` and its ancestors, itself first. Empty where there is none. */
  chain(id: SnapshotId): Snapshot[] {
    return this.#chain.all(id).map(fromRow);
  }

  /** Up to `limit` snapshots with ids above `id`, in order; start with 0. */
  listAfter(id: number, limit: number): Snapshot[] {
    return this.#after.all(id, limit).map(fromRow);
  }

  /** Every snapshot, read in batches, so that the table may change between two of them. */
  *all(batch = 500): Generator<Snapshot, void, undefined> {
    let last = 0;
    for (;;) {
      const snapshots = this.listAfter(last, batch);
      yield* snapshots;
      last = snapshots.at(-1)?.id ?? last;
      if (snapshots.length < batch) return;
    }
  }

  hasChildren(id: SnapshotId): boolean {
    return (this.#children.get(id)?.count ?? 0) > 0;
  }

  insert(snapshot: NewSnapshot): void {
    const { id, key, parentId, kind, domainId, domainRule, lower = 'layers', labels, nowNs } = snapshot;
    this.#insert.run(
      id,
      key,
      parentId ?? null,
      kind,
      domainId,
      domainRule,
      lower,
      JSON.stringify(labels),
      nowNs,
      nowNs,
    );
  }

  commit(id: SnapshotId, committed: CommittedSnapshot): void {
    const { name, parentId, labels, usage, nidLimit, trust, digestsRoot, nowNs } = committed;
    this.#commit.run(
      name,
      parentId ?? null,
      Kind.COMMITTED,
      JSON.stringify(labels),
      nowNs,
      nowNs,
      usage.bytes,
      usage.inodes,
      nidLimit,
      trust,
      digestsRoot ?? null,
      id,
    );
  }

  /** `reason`: why its fingerprints are not believed, or "". */
  setTrust(id: SnapshotId, trust: ImageTrust, reason: string): void {
    this.#setTrust.run(trust, reason, id);
  }

  /** What was found wrong with the image file; "" where nothing is any more. */
  setDamage(id: SnapshotId, damage: string): void {
    this.#setDamage.run(damage, id);
  }

  /** Those of which something was found wrong with the image file. */
  damaged(): Snapshot[] {
    return this.#damaged.all().map(fromRow);
  }

  setLabels(id: SnapshotId, labels: Readonly<Labels>, nowNs: bigint): void {
    this.#setLabels.run(JSON.stringify(labels), nowNs, id);
  }

  /** Deletes a snapshot and its attachments. One with children is refused by the database. */
  delete(id: SnapshotId): void {
    this.#delete.run(id);
  }
}

function fromRow(row: Row): Snapshot {
  return {
    id: Number(row.id) as SnapshotId,
    name: row.key,
    parentId: row.parent_id === null ? undefined : (Number(row.parent_id) as SnapshotId),
    parent: row.parent_key ?? '',
    kind: kindFrom(row),
    domainId: Number(row.domain_id) as DomainId,
    domainRule: row.domain_rule,
    lower: row.lower,
    labels: labelsFrom(row),
    createdNs: row.created_ns,
    updatedNs: row.updated_ns,
    usage: { bytes: Number(row.usage_bytes), inodes: Number(row.usage_inodes) },
    nidLimit: Number(row.nid_limit ?? 0n),
    trust: row.trust,
    trustReason: row.trust_reason,
    damage: row.damage,
    digestsRoot: row.digests_root ?? undefined,
  };
}

function kindFrom(row: Row): SnapshotKind {
  const kind = Number(row.kind);
  if (kind === Kind.VIEW || kind === Kind.ACTIVE || kind === Kind.COMMITTED) return kind;
  throw new DataLossError(`snapshot ${row.id}: unknown kind ${kind}`);
}

function labelsFrom(row: Row): Labels {
  const labels: unknown = JSON.parse(row.labels);
  if (typeof labels !== 'object' || labels === null)
    throw new DataLossError(`snapshot ${row.id}: labels unreadable`);
  return labels as Labels;
}
