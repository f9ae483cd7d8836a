import {
  credentials,
  InterceptingCall,
  status,
  type CallOptions,
  type Interceptor,
  type requestCallback,
  type ServiceError,
} from '@grpc/grpc-js';
import { connectSnapshots, type Labels, type Mount, type SnapshotsClient } from '../../../proto/snapshots';
import { CommandError } from '../command-error';

/** Where snapshots are: containerd keeps them apart by namespace and by snapshotter. */
export interface SnapshotsPlace {
  /** containerd's socket. */
  readonly address: string;
  readonly namespace: string;
  readonly snapshotter: string;
}

/** A call may have to wait for a large layer to be synced (ms). */
const DEADLINE_MS = 600_000;

/** Header by which containerd tells namespaces apart (pkg/namespaces, GRPCHeader). */
const NAMESPACE_HEADER = 'containerd-namespace';

/**
 * Label of what the garbage collector keeps though nothing refers to it (containerd's docs/garbage-collection.md). Its
 * value is of no meaning; a time is customary.
 */
const GC_ROOT = 'containerd.io/gc.root';

/** containerd's own snapshots service, which passes calls on to its snapshotters and keeps book of what they have. */
export class ContainerdSnapshots implements Disposable {
  readonly #client: SnapshotsClient;
  readonly #place: SnapshotsPlace;
  readonly #labels: Labels = { [GC_ROOT]: new Date().toISOString() };

  constructor(place: SnapshotsPlace) {
    this.#place = place;
    this.#client = connectSnapshots(`unix:${place.address}`, credentials.createInsecure(), {
      interceptors: [inNamespace(place.namespace)],
    });
  }

  /** Whether there is a snapshot of this key or name. */
  async has(key: string): Promise<boolean> {
    const { snapshotter } = this.#place;
    try {
      await this.#call<unknown>((...rest) => this.#client.Stat({ snapshotter, key }, ...rest));
      return true;
    } catch (error) {
      if (error instanceof CommandError && codeOf(error) === status.NOT_FOUND) return false;
      throw error;
    }
  }

  /** Makes an active snapshot that stays until it is removed, and resolves to its mounts. `parent` may be "". */
  async prepare(key: string, parent: string): Promise<Mount[]> {
    const request = { snapshotter: this.#place.snapshotter, key, parent, labels: this.#labels };
    const { mounts } = await this.#call<{ mounts: Mount[] }>((...rest) =>
      this.#client.Prepare(request, ...rest),
    );
    return mounts;
  }

  /** Makes it a committed one, which stays as well. */
  async commit(key: string, name: string): Promise<void> {
    const request = { snapshotter: this.#place.snapshotter, key, name, labels: this.#labels };
    await this.#call<unknown>((...rest) => this.#client.Commit(request, ...rest));
  }

  async remove(key: string): Promise<void> {
    const { snapshotter } = this.#place;
    await this.#call<unknown>((...rest) => this.#client.Remove({ snapshotter, key }, ...rest));
  }

  #call<Response>(
    invoke: (options: CallOptions, callback: requestCallback<Response>) => unknown,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      invoke({ deadline: Date.now() + DEADLINE_MS }, (error, response) => {
        if (error !== null) reject(new CommandError(this.#describe(error), { cause: error }));
        else if (response === undefined) reject(new CommandError('containerd sent an empty answer'));
        else resolve(response);
      });
    });
  }

  #describe({ code, details }: ServiceError): string {
    const { address } = this.#place;
    if (code !== status.UNAVAILABLE) return details;
    if (details.includes('EACCES')) return `${address}: permission denied; this needs root`;
    return `no containerd answers on ${address} (--containerd names another socket)`;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function codeOf({ cause }: CommandError): unknown {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}

function inNamespace(namespace: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        metadata.set(NAMESPACE_HEADER, namespace);
        next(metadata, listener);
      },
    });
}
