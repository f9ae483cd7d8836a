import { createLogger } from 'winston';
import { SqliteError } from 'better-sqlite3';
import { ImageBuilder } from '../../erofs/build-worker';
import type { ErrnoName } from '../../linux/errno';
import { readLayerRoot } from '../../snapshotter/layer-root';
import { Paths } from '../../snapshotter/paths';
import { Snapshots } from '../../snapshotter/snapshots';
import type { SnapshotsOptions } from '../../snapshotter/snapshots-options';
import { MetadataStore } from '../../snapshotter/store/metadata-store';
import { passPoint } from './fault-points';
import { Ownership } from './ownership';
import { UnmountedLayerServer } from './unmounted-layer-server';

/** What SQLite says of the kernel's errors (sqlite.org/rescode.html). */
const sqliteErrors: Readonly<Partial<Record<ErrnoName, readonly [code: string, message: string]>>> = {
  ENOSPC: ['SQLITE_FULL', 'database or disk is full'],
  EIO: ['SQLITE_IOERR_WRITE', 'disk I/O error'],
  EMFILE: ['SQLITE_CANTOPEN', 'unable to open database file'],
  ENOMEM: ['SQLITE_NOMEM', 'out of memory'],
  EROFS: ['SQLITE_READONLY', 'attempt to write a readonly database'],
};

/** Snapshots over a store, both on one root directory. Disposing of it ends them. */
export interface OpenedSnapshots extends AsyncDisposable {
  readonly paths: Paths;
  readonly store: MetadataStore;
  readonly snapshots: Snapshots;
}

/** Snapshots that mount nothing, on a root directory that may have been used before. */
export async function openSnapshots(
  root: string,
  options: Partial<SnapshotsOptions> = {},
): Promise<OpenedSnapshots> {
  const ownership = new Ownership();
  const paths = new Paths(root);
  const store = ownership.own(MetadataStore.open(paths.database));
  const snapshots = ownership.own(
    await Snapshots.open({
      store,
      paths,
      builder: ownership.own(new ImageBuilder({ concurrency: 1 })),
      layerServer: new UnmountedLayerServer(),
      readLayerRoot,
      domainFor: () => ({ domain: undefined, rule: 'of the test', refused: undefined }),
      acceptReadyMade: true,
      logger: createLogger({ silent: true }),
      lingerMs: 0,
      ...options,
    }),
  );
  await snapshots.recovered;
  return { paths, store, snapshots, [Symbol.asyncDispose]: () => ownership[Symbol.asyncDispose]() };
}

/** The beginning and the end of every transaction of this process become points. */
export function watchTransactions(): void {
  const { prototype } = MetadataStore;
  const transaction = Object.getOwnPropertyDescriptor(prototype, 'transaction')
    ?.value as MetadataStore['transaction'];
  prototype.transaction = function <Result>(work: () => Result): Result {
    return transaction.call(this, () => {
      passPoint('BEGIN', '', sqliteError);
      const result = work();
      passPoint('COMMIT', '', sqliteError);
      return result;
    }) as Result;
  };
}

function sqliteError(fault: ErrnoName): Error {
  const [code, message] = sqliteErrors[fault] ?? ['SQLITE_IOERR', 'disk I/O error'];
  return new SqliteError(message, code);
}
