import { Server } from '@grpc/grpc-js';
import { createLogger } from 'winston';
import { ImageBuilder } from '../../erofs/build-worker';
import { diffService } from '../../proto/diff';
import { snapshotsService } from '../../proto/snapshots';
import { ContainerdContent } from '../../snapshotter/containerd-content';
import { diffHandlers } from '../../snapshotter/diff-service';
import { readLayerRoot } from '../../snapshotter/layer-root';
import { Paths } from '../../snapshotter/paths';
import { snapshotsHandlers } from '../../snapshotter/service';
import { Snapshots } from '../../snapshotter/snapshots';
import type { SnapshotsOptions } from '../../snapshotter/snapshots-options';
import { SocketServer } from '../../snapshotter/socket-server';
import { MetadataStore } from '../../snapshotter/store/metadata-store';
import { KernelLayerServer } from './kernel-layer-server';
import { Ownership } from './ownership';
import type { Scratch } from './scratch';
import { SnapshotsConnection } from './snapshots-connection';

export const silentLogger = createLogger({ silent: true });

interface Parts {
  readonly paths: Paths;
  readonly socket: string;
  readonly store: MetadataStore;
  readonly layers: KernelLayerServer;
  readonly snapshots: Snapshots;
  readonly client: SnapshotsConnection;
  /** Directory of a content store, for the blobs that the diff service is to unpack. */
  readonly contentRoot: string;
}

/** The snapshots service over the kernel's EROFS, in this process, on a socket and a root directory of its own. */
export class SnapshotterServer implements AsyncDisposable {
  private constructor(
    private readonly ownership: Ownership,
    readonly parts: Parts,
  ) {}

  /** `scratch` keeps the state, so that another server may go on from it; it stays the caller's. */
  static async start(scratch: Scratch, options: Partial<SnapshotsOptions> = {}): Promise<SnapshotterServer> {
    const ownership = new Ownership();
    try {
      return new SnapshotterServer(ownership, await assemble(scratch, options, ownership));
    } catch (error) {
      await ownership[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** May be called again. */
  async stop(): Promise<void> {
    await this.ownership[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

async function assemble(
  scratch: Scratch,
  options: Partial<SnapshotsOptions>,
  ownership: Ownership,
): Promise<Parts> {
  const paths = new Paths(scratch.in('root'));
  const socket = scratch.in('run', 'snapshots.sock');
  const store = ownership.own(MetadataStore.open(paths.database));
  const layers = ownership.own(new KernelLayerServer(scratch.in('layers')));
  const builder = ownership.own(new ImageBuilder({ concurrency: 1 }));
  const snapshots = ownership.own(
    await Snapshots.open({
      store,
      paths,
      builder,
      layerServer: layers,
      readLayerRoot,
      domainFor: () => ({ domain: undefined, rule: 'of the test', refused: undefined }),
      logger: silentLogger,
      lingerMs: 100,
      ...options,
    }),
  );
  await snapshots.recovered;
  const server = new Server();
  server.addService(snapshotsService(), snapshotsHandlers(snapshots, silentLogger));
  const contentRoot = scratch.in('content');
  const content = ownership.own(
    new ContainerdContent({ address: scratch.in('run', 'nobody.sock'), root: contentRoot }),
  );
  server.addService(diffService(), diffHandlers(snapshots, content, silentLogger));
  ownership.own(await SocketServer.listen(socket, server));
  const client = ownership.own(new SnapshotsConnection(socket));
  return { contentRoot, paths, socket, store, layers, snapshots, client };
}
