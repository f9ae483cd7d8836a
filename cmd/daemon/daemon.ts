import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Server } from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Config } from '../../config/schema';
import { ImageBuilder } from '../../erofs/build-worker';
import { AdminService, type AdminSources } from '../../ishare/admin-service';
import type { LogSink } from '../../ishare/engine';
import { EngineClient } from '../../ishare/worker/engine-client';
import { errorCode } from '../../linux/errno';
import { tryLockFile } from '../../linux/file-lock';
import { adminService } from '../../proto/admin';
import { Kind, snapshotsService } from '../../proto/snapshots';
import { SnapshotterError } from '../../snapshotter/errors';
import { readLayerRoot } from '../../snapshotter/layer-root';
import { assertOverlaySafe, Paths } from '../../snapshotter/paths';
import { snapshotsHandlers } from '../../snapshotter/service';
import { Snapshots } from '../../snapshotter/snapshots';
import { SocketServer } from '../../snapshotter/socket-server';
import { MetadataStore } from '../../snapshotter/store/metadata-store';
import { version } from '../version';
import { layerCompression } from './layer-compression';
import type { LivePolicy } from './live-policy';
import { LOCK_FILE, makePrivateDirectory, PRIVATE_DIRECTORY, withoutLinks } from './private-directory';
import { ResourceStack } from './resource-stack';
import { clearStaleMounts, overlaysAbove } from './stale-mounts';
import { StartError } from './start-error';

/** Directory of the images mount below --state. */
const IMAGES = 'images';
const MIB = 2 ** 20;

/** Everything that runs in the daemon, started in order and stopped in the opposite one. */
export class Daemon implements AsyncDisposable {
  readonly #resources: ResourceStack;

  private constructor(resources: ResourceStack) {
    this.#resources = resources;
  }

  /**
   * Starts serving; the snapshots socket appears last. Where a step fails, the steps before it are undone. `onCrash`
   * is told when the thread that serves the mounts ends unasked.
   */
  static async start(
    config: Config,
    policy: LivePolicy,
    logger: Logger,
    onCrash: (error: Error) => void,
  ): Promise<Daemon> {
    await using resources = new ResourceStack();
    const { root, state } = await takeDirectories(config, resources, logger);
    const imagesDirectory = path.join(state, IMAGES);
    const stale = await clearStaleMounts(imagesDirectory);
    if (stale > 0)
      logger.warn('cleared mounts that an earlier daemon left', { directory: imagesDirectory, stale });
    await mkdir(imagesDirectory, { recursive: true, mode: PRIVATE_DIRECTORY });
    const log: LogSink = (level, message, details) => logger.log(level, message, details);
    const paths = new Paths(root);
    const store = resources.use(openStore(paths.database));
    // The engine unmounts by itself; where its thread died, this does.
    resources.defer(() => clearStaleMounts(imagesDirectory));
    const engine = resources.use(
      await EngineClient.start(engineOptions(config, imagesDirectory), log, onCrash),
    );
    resources.defer(() => warnOfOverlays([imagesDirectory, root], logger));
    const builder = resources.use(
      new ImageBuilder({ concurrency: config.build.workers, compression: layerCompression(config) }),
    );
    const snapshots = resources.use(
      await Snapshots.open({
        store,
        paths,
        builder,
        layerServer: engine,
        readLayerRoot,
        domainFor: (request) => policy.decide(request),
        logger,
      }),
    );
    const admin = new Server();
    admin.addService(
      adminService(),
      new AdminService(
        engine,
        adminSources({ ...config, root, state }, store, paths, policy),
        log,
      ).handlers(),
    );
    resources.use(await listen('--admin-address', config.admin_address, admin));
    const server = new Server();
    server.addService(snapshotsService(), snapshotsHandlers(snapshots, logger));
    resources.use(await listen('--address', config.address, server));
    const { passthrough } = await engine.state();
    logger.info('ready', { version, address: config.address, admin: config.admin_address, passthrough });
    if (!passthrough)
      logger.warn('nothing is shared: no FUSE passthrough (Linux 6.9, or fuse.passthrough = false)');
    return new Daemon(resources.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources[Symbol.asyncDispose]();
  }
}

/** Makes and locks the two directories, and gives their paths without symbolic links, fit for overlayfs's options. */
async function takeDirectories(
  config: Config,
  resources: ResourceStack,
  logger: Logger,
): Promise<{ readonly root: string; readonly state: string }> {
  const root = await withoutLinks('--root', config.root);
  const state = await withoutLinks('--state', config.state);
  assertOverlaySafe(root);
  assertOverlaySafe(state);
  if (root === state) throw new StartError(`--root and --state are both ${root}; they must differ`);
  for (const [flag, directory] of [
    ['--root', root],
    ['--state', state],
  ] as const) {
    if (!(await makePrivateDirectory(flag, directory)))
      logger.warn(`${flag} may be entered by others than root; chmod 0700 is advised`, { directory });
    resources.use(lock(flag, directory));
  }
  return { root, state };
}

function lock(flag: string, directory: string): Disposable {
  const held = tryLockFile(path.join(directory, LOCK_FILE));
  if (held === undefined) throw new StartError(`another ishare-snapshotter uses ${flag} ${directory}`);
  return held;
}

function openStore(database: string): MetadataStore {
  try {
    return MetadataStore.open(database);
  } catch (error) {
    if (error instanceof SnapshotterError) throw error;
    throw new StartError(`${database}: the database cannot be opened: ${messageOf(error)}`, { cause: error });
  }
}

async function listen(flag: string, address: string, server: Server): Promise<SocketServer> {
  try {
    return await SocketServer.listen(address, server);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new StartError(`${flag} ${address}: the socket cannot be made: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function engineOptions(config: Config, imagesDirectory: string): Parameters<typeof EngineClient.start>[0] {
  return {
    imagesDirectory,
    passthrough: config.fuse.passthrough,
    readAheadKib: config.fuse.read_ahead_kib,
    metadataCacheBytes: config.fuse.metadata_cache_mib * MIB,
  };
}

async function warnOfOverlays(directories: readonly string[], logger: Logger): Promise<void> {
  const overlays = await overlaysAbove(directories);
  if (overlays.length === 0) return;
  logger.warn('containers still use the images and will get I/O errors until they are restarted', {
    overlays,
  });
}

function adminSources(config: Config, store: MetadataStore, paths: Paths, policy: LivePolicy): AdminSources {
  const all = () => store.transaction(() => [...store.snapshots.all()]);
  return {
    version,
    root: config.root,
    state: config.state,
    address: config.address,
    reload: () => policy.reload(),
    snapshots: () => all().length,
    domainNames: () => {
      const used = store.transaction(() => store.domains.list().map(({ name }) => name));
      return [...new Set([...used, ...policy.names()])];
    },
    images: () =>
      all()
        .filter(({ kind }) => kind === Kind.COMMITTED)
        .map(({ id, name, usage }) => ({
          name,
          path: paths.image(id),
          size: usage.bytes,
          inodes: usage.inodes,
        })),
  };
}
