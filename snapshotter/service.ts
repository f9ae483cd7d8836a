import { once } from 'node:events';
import type { ServerWritableStream } from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type {
  Info,
  ListSnapshotsRequest,
  ListSnapshotsResponse,
  SnapshotsHandlers,
  Timestamp,
} from '../proto/snapshots';
import { InvalidArgumentError } from './errors';
import { messagesOf } from './list-messages';
import type { SnapshotInfo } from './snapshot-info';
import type { Snapshots } from './snapshots';
import { clientGone, type CallWatch, toLoggedFailure, unaryCalls } from './unary-calls';

const NS_PER_SECOND = 1_000_000_000n;

/**
 * Handlers of containerd's snapshots service over `snapshots`, for Server.addService(snapshotsService(), …). `watch` is
 * for who wants to know of calls that take long.
 */
export function snapshotsHandlers(
  snapshots: Snapshots,
  logger: Logger,
  watch?: CallWatch,
): SnapshotsHandlers {
  const unary = unaryCalls(logger, watch);
  return {
    Prepare: unary('Prepare', async (request) => ({ mounts: await snapshots.prepare(request) })),
    View: unary('View', async (request) => ({ mounts: await snapshots.view(request) })),
    Mounts: unary('Mounts', async ({ key }) => ({ mounts: await snapshots.mounts(key) })),
    Commit: unary('Commit', async ({ name, key, labels, parent }, signal) => {
      await snapshots.commit({ name, key, labels, parent, signal });
      return {};
    }),
    Remove: unary('Remove', async ({ key }) => {
      await snapshots.remove(key);
      return {};
    }),
    Stat: unary('Stat', ({ key }) => ({ info: toInfo(snapshots.stat(key)) })),
    Update: unary('Update', async ({ info, update_mask: mask }) => {
      if (info === null) throw new InvalidArgumentError('update: no snapshot is given');
      return { info: toInfo(await snapshots.update(info.name, info.labels, mask?.paths ?? [])) };
    }),
    List: (call) => void list(call, snapshots, logger, watch),
    Usage: unary('Usage', async ({ key }, signal) => {
      const { bytes, inodes } = await snapshots.usage(key, signal);
      return { size: bytes, inodes };
    }),
    Cleanup: unary('Cleanup', async () => {
      await snapshots.cleanup();
      return {};
    }),
  };
}

async function list(
  call: ServerWritableStream<ListSnapshotsRequest, ListSnapshotsResponse>,
  snapshots: Snapshots,
  logger: Logger,
  watch: CallWatch | undefined,
): Promise<void> {
  const gone = clientGone(call);
  const pending = { method: 'List', keys: [] };
  watch?.began(pending);
  try {
    for (const batch of snapshots.list(call.request.filters)) {
      for (const info of messagesOf(batch.map(toInfo))) {
        if (!call.write({ info })) await once(call, 'drain', { signal: gone });
      }
    }
    call.end();
  } catch (error) {
    call.emit('error', toLoggedFailure('List', call.request, error, logger));
  } finally {
    watch?.ended(pending);
  }
}

function toInfo(snapshot: SnapshotInfo): Info {
  return {
    name: snapshot.name,
    parent: snapshot.parent,
    kind: snapshot.kind,
    created_at: toTimestamp(snapshot.createdNs),
    updated_at: toTimestamp(snapshot.updatedNs),
    labels: { ...snapshot.labels },
  };
}

function toTimestamp(ns: bigint): Timestamp {
  return { seconds: Number(ns / NS_PER_SECOND), nanos: Number(ns % NS_PER_SECOND) };
}
