import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { Server } from '@grpc/grpc-js';
import type { Logger } from 'winston';
import type { Config } from '../../config/schema';
import { ImageBuilder } from '../../erofs/build-worker';
import { adminHandlers } from '../../ishare/admin/admin-service';
import type { LogSink } from '../../ishare/engine';
import { shrinkHeap } from '../../ishare/shrink-heap';
import { sharingSentence } from '../../ishare/sharing-sentence';
import { EngineClient } from '../../ishare/worker/engine-client';
import type { EngineThread } from '../../ishare/worker/engine-thread';
import { errorCode } from '../../linux/errno';
import { returnFreeMemory } from '../../linux/free-memory';
import { tryLockFile } from '../../linux/file-lock';
import { readMountTable } from '../../linux/mount-table';
import { adminService } from '../../proto/admin';
import { diffService } from '../../proto/diff';
import { snapshotsService } from '../../proto/snapshots';
import { ContainerdContent } from '../../snapshotter/containerd-content';
import { diffHandlers } from '../../snapshotter/diff-service';
import { SnapshotterError } from '../../snapshotter/errors';
import { noteDamage } from '../../snapshotter/image-damage';
import { LayerVerification } from '../../snapshotter/layer-verification';
import { readLayerRoot } from '../../snapshotter/layer-root';
import { assertOverlaySafe, Paths } from '../../snapshotter/paths';
import { snapshotsHandlers } from '../../snapshotter/service';
import { slowCalls } from '../../snapshotter/slow-calls';
import { Snapshots } from '../../snapshotter/snapshots';
import { SocketServer } from '../../snapshotter/socket-server';
import { MetadataStore } from '../../snapshotter/store/metadata-store';
import { version } from '../version';
import { adminSources } from './admin-sources';
import { layerCompression } from './layer-compression';
import type { LivePolicy } from './live-policy';
import { LOCK_FILE, makePrivateDirectory, PRIVATE_DIRECTORY, withoutLinks } from './private-directory';
import { overlaysAbove } from './overlays-above';
import { ResourceStack } from './resource-stack';
import { StartError } from './start-error';

/** Directory of the images mount below --state. */
const IMAGES = 'images';
const MIB = 2 ** 20;
/** Six in an hour are no leak to speak of (ms). */
const LEAST_AGE_OF_BUILD_THREADS = 600_000;

/** Whoever unpacks an image begins with its next layer within some ms (ms). */
const MERGE_AHEAD = 500;

/** For about a million entries of a chain, which no image has by honest means. */
const MERGING_HEAP_MIB = 1024;

/** The thread that is to serve the mounts, not used yet, and who is told when it ends unasked. */
export interface EngineThreadUse {
  readonly thread: EngineThread;
  readonly onCrash: (error: Error) => void;
}

/** Everything that runs in the daemon, started in order and stopped in the opposite one. */
export class Daemon implements AsyncDisposable {
  readonly #resources: ResourceStack;
  readonly #engine: EngineClient;

  private constructor(resources: ResourceStack, engine: EngineClient) {
    this.#resources = resources;
    this.#engine = engine;
  }

  /**
   * Starts serving; the snapshots socket appears last. Where a step fails, the steps before it are undone.
   */
  static async start(
    config: Config,
    policy: LivePolicy,
    logger: Logger,
    { thread, onCrash }: EngineThreadUse,
  ): Promise<Daemon> {
    await using resources = new ResourceStack();
    const { root, state } = await takeDirectories(config, resources, logger);
    const imagesDirectory = path.join(state, IMAGES);
    await makeMountPoint(imagesDirectory);
    const log: LogSink = (level, message, details) => logger.log(level, message, details);
    const paths = new Paths(root);
    const store = resources.use(openStore(paths.database));
    const engine = await EngineClient.start(
      engineOptions(config, imagesDirectory),
      {
        log,
        onLost: onCrash,
        onDamage: (imagePath, problem) => noteDamage(store, logger, imagePath, problem),
      },
      thread,
    );
    resources.defer(() => stopEngine(engine, [imagesDirectory, root], logger));
    const builder = resources.use(
      new ImageBuilder({
        concurrency: config.build.workers,
        leastAge: LEAST_AGE_OF_BUILD_THREADS,
        compression: layerCompression(config),
      }),
    );
    // Not behind layers that are being built: whoever waits for it wants to run something.
    const mergingBuilder = resources.use(
      new ImageBuilder({ concurrency: 1, leastAge: LEAST_AGE_OF_BUILD_THREADS, heapLimit: MERGING_HEAP_MIB }),
    );
    const verification = resources.use(
      new LayerVerification({ store, paths, learn: (news) => engine.learn(news), logger }),
    );
    const snapshots = resources.use(
      await Snapshots.open({
        store,
        paths,
        builder,
        mergingBuilder,
        mergeAheadMs: MERGE_AHEAD,
        layerServer: engine,
        readLayerRoot,
        domainFor: (request) => policy.decide(request),
        layers: {
          verifyOnRead: config.verify_on_read,
          verifiedFiles: (id) => verification.verifiedFiles(id),
        },
        acceptReadyMade: config.erofs_layers,
        onCommitted: (id) => verification.enqueue(id),
        onRecovered: () => engine.resume().catch(onCrash),
        logger,
      }),
    );
    verification.resume();
    const calls = resources.use(slowCalls({ logger }));
    const admin = new Server();
    admin.addService(
      adminService(),
      adminHandlers({
        engine,
        sources: adminSources({
          config: { ...config, root, state },
          store,
          snapshots,
          paths,
          policy,
          verification,
          slowCalls: calls,
          logger,
        }),
        log,
      }),
    );
    resources.use(await listen('--admin-address', config.admin_address, admin));
    const { address, content_root: contentRoot } = config.containerd;
    const content = resources.use(new ContainerdContent({ address, root: contentRoot }));
    const server = new Server();
    server.addService(snapshotsService(), snapshotsHandlers(snapshots, logger, calls));
    server.addService(diffService(), diffHandlers(snapshots, content, logger, calls));
    resources.use(await listen('--address', config.address, server));
    const { passthrough, takenOver } = engine.started;
    logger.info('ready', {
      version,
      address: config.address,
      admin: config.admin_address,
      passthrough,
      takenOver,
    });
    const sharing = sharingSentence(passthrough, config.fuse.passthrough);
    logger.log(passthrough ? 'info' : 'warn', `sharing is ${sharing}`);
    afterScans(engine, snapshots, logger);
    return new Daemon(resources.move(), engine);
  }

  /** Resolves when the thread that serves the mounts has answered; rejects once it has ended. */
  async alive(): Promise<void> {
    await this.#engine.stateNow();
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
    takeoverDirectory: path.dirname(imagesDirectory),
    program: version,
    passthrough: config.fuse.passthrough,
    readAheadKib: config.fuse.read_ahead_kib,
    metadataCacheBytes: config.fuse.metadata_cache_mib * MIB,
    realtime: config.fuse.realtime,
  };
}

/**
 * Scans leave much behind that was needed once, and so many images are attached at a time at the start alone. It is given back
 * from this thread: the one that serves the mounts does not wait for it.
 */
function afterScans(engine: EngineClient, snapshots: Snapshots, logger: Logger): void {
  const giveBack = async (): Promise<void> => {
    // Else there may be nothing yet that is scanned.
    await snapshots.recovered;
    const { length: images } = await engine.attachedImages();
    await shrinkHeap();
    returnFreeMemory();
    logger.debug('what the start took is given back', { images });
  };
  giveBack().catch((error: unknown) => {
    // The engine has ended, which whoever it concerns is told otherwise.
    logger.debug('no scans to wait for', { error });
  });
}

/** Makes the directory, unless an earlier daemon's mount is on it: nobody would answer questions about that. */
async function makeMountPoint(directory: string): Promise<void> {
  if ((await readMountTable()).some(({ target }) => target === directory)) return;
  await mkdir(directory, { recursive: true, mode: PRIVATE_DIRECTORY });
}

/**
 * As long as something uses them the mounts are left to the next daemon, and whoever asks them meanwhile waits. In use is
 * what an overlay lies above and whose files are open: unmounting would succeed all the same, and containers get errors.
 */
async function stopEngine(
  engine: EngineClient,
  directories: readonly string[],
  logger: Logger,
): Promise<void> {
  const overlays = await overlaysAbove(directories);
  // A start that has failed comes here too.
  const { openFiles } = await engine.stateNow();
  if (overlays.length === 0 && openFiles === 0) {
    await engine[Symbol.asyncDispose]();
    return;
  }
  logger.info('containers use the images: the mounts stay for the next daemon', { overlays, openFiles });
  await engine.leave();
}
