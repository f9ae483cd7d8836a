import { Kind } from '../proto/snapshots';
import { AlreadyExistsError, FailedPreconditionError, InvalidArgumentError, NotFoundError } from './errors';
import type { Snapshot, SnapshotId, SnapshotTable } from './store/snapshot-table';

/** What calls may ask of which snapshots. Order and kinds of the errors are containerd's. */

/** The snapshot of this key or name, which must exist. */
export function existing(snapshots: SnapshotTable, key: string): Snapshot {
  const snapshot = snapshots.find(key);
  if (snapshot === undefined) throw new NotFoundError(`snapshot "${key}" does not exist`);
  return snapshot;
}

/** A committed snapshot as a parent. */
export function committedParent(snapshots: SnapshotTable, name: string): Snapshot {
  const parent = snapshots.find(name);
  if (parent === undefined) throw new NotFoundError(`parent snapshot "${name}" does not exist`);
  if (parent.kind !== Kind.COMMITTED)
    throw new InvalidArgumentError(`parent snapshot "${name}" is not committed`);
  return parent;
}

/** Checks that `key` is free and returns the parent; "" stands for none. */
export function parentOfNew(snapshots: SnapshotTable, key: string, parentName: string): Snapshot | undefined {
  const parent = parentName === '' ? undefined : committedParent(snapshots, parentName);
  if (snapshots.find(key) !== undefined) throw new AlreadyExistsError(`snapshot "${key}" exists already`);
  return parent;
}

/** A commit as far as it is checked. */
interface Commit {
  readonly key: string;
  readonly name: string;
  readonly parent?: string;
}

/** The snapshot that may be committed so. */
export function committable(snapshots: SnapshotTable, { key, name, parent = '' }: Commit): Snapshot {
  const snapshot = existing(snapshots, key);
  if (snapshots.find(name) !== undefined) throw new AlreadyExistsError(`snapshot "${name}" exists already`);
  if (snapshot.kind !== Kind.ACTIVE) throw new FailedPreconditionError(`snapshot "${key}" is not active`);
  chosenParent(snapshots, snapshot, parent);
  return snapshot;
}

/** The parent that a snapshot has once it is committed so. */
export function parentAtCommit(snapshots: SnapshotTable, commit: Commit): SnapshotId | undefined {
  return chosenParent(snapshots, committable(snapshots, commit), commit.parent ?? '');
}

/** `parent` is "", or a name for a snapshot that has none. */
function chosenParent(snapshots: SnapshotTable, snapshot: Snapshot, parent: string): SnapshotId | undefined {
  if (parent === '' || parent === snapshot.parent) return snapshot.parentId;
  if (snapshot.parentId !== undefined) {
    throw new InvalidArgumentError(
      `snapshot "${snapshot.name}" has the parent "${snapshot.parent}", which commit cannot change`,
    );
  }
  return committedParent(snapshots, parent).id;
}
