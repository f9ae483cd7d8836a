import { once } from 'node:events';
import {
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
  type handleUnaryCall,
} from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type {
  Info,
  ListSnapshotsRequest,
  ListSnapshotsResponse,
  SnapshotsHandlers,
  Timestamp,
} from '../proto/snapshots';
import { type GrpcFailure, InvalidArgumentError, toGrpcFailure } from './errors';
import { messagesOf } from './list-messages';
import { brief, checkNames, namesIn } from './request-names';
import type { PendingCall } from './slow-calls';
import type { SnapshotInfo } from './snapshot-info';
import type { Snapshots } from './snapshots';

const NS_PER_SECOND = 1_000_000_000n;

/** Told of every call from its beginning to its end. */
export interface CallWatch {
  began(call: PendingCall): void;
  /** Told with the same object. */
  ended(call: PendingCall): void;
}

/**
 * Handlers of containerd's snapshots service over `snapshots`, for Server.addService(snapshotsService(), …). `watch` is
 * for who wants to know of calls that take long.
 */
export function snapshotsHandlers(
  snapshots: Snapshots,
  logger: Logger,
  watch?: CallWatch,
): SnapshotsHandlers {
  const unary = <Request, Response>(
    method: string,
    handle: (request: Request, signal: AbortSignal) => Response | Promise<Response>,
  ): handleUnaryCall<Request, Response> => {
    return (call, callback) => void answer(method, call, callback, handle, logger, watch);
  };
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

/** Runs one call and answers it. The signal aborts when the client goes away. */
async function answer<Request, Response>(
  method: string,
  call: ServerUnaryCall<Request, Response>,
  callback: sendUnaryData<Response>,
  handle: (request: Request, signal: AbortSignal) => Response | Promise<Response>,
  logger: Logger,
  watch: CallWatch | undefined,
): Promise<void> {
  const gone = new AbortController();
  call.on('cancelled', () => {
    gone.abort();
  });
  const pending = { method, keys: namesIn(call.request) };
  watch?.began(pending);
  try {
    checkNames(call.request);
    callback(null, await handle(call.request, gone.signal));
  } catch (error) {
    callback(fail(method, call.request, error, logger));
  } finally {
    watch?.ended(pending);
  }
}

async function list(
  call: ServerWritableStream<ListSnapshotsRequest, ListSnapshotsResponse>,
  snapshots: Snapshots,
  logger: Logger,
  watch: CallWatch | undefined,
): Promise<void> {
  const gone = new AbortController();
  call.on('cancelled', () => {
    gone.abort();
  });
  const pending = { method: 'List', keys: [] };
  watch?.began(pending);
  try {
    for (const batch of snapshots.list(call.request.filters)) {
      for (const info of messagesOf(batch.map(toInfo))) {
        if (!call.write({ info })) await once(call, 'drain', { signal: gone.signal });
      }
    }
    call.end();
  } catch (error) {
    call.emit('error', fail('List', call.request, error, logger));
  } finally {
    watch?.ended(pending);
  }
}

function fail(method: string, request: unknown, error: unknown, logger: Logger): GrpcFailure {
  const failure = toGrpcFailure(error);
  const code = status[failure.code];
  const log = { method, code, request: brief(request), error };
  logger.log(levelOf(failure.code), `${method}: ${failure.details}`, log);
  return failure;
}

/** What containerd asks for as a matter of course is no news; what is wrong on this side is. */
function levelOf(code: status): string {
  switch (code) {
    case status.NOT_FOUND:
    case status.ALREADY_EXISTS:
    case status.CANCELLED:
      return 'debug';
    case status.FAILED_PRECONDITION:
    case status.INVALID_ARGUMENT:
    case status.UNAVAILABLE:
      return 'warn';
    default:
      return 'error';
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
