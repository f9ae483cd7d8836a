import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { unmount } from '../../linux/mount';
import { CtrError } from '../../scripts/containerd/ctr-error';
import {
  containerdPlaces,
  PrivateContainerd,
  type CtrOptions,
} from '../../scripts/containerd/private-containerd';
import { CHECKOUT, PrivateSnapshotter } from '../../scripts/containerd/private-snapshotter';
import type { WrittenImage } from '../../scripts/oci/oci-archive';
import { runCommand } from '../../scripts/process/command';
import { detachMountsBelow, TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { IshareCommand } from './ishare-command';
import { Ownership } from './ownership';

/** What a daemon's configuration file says, as far as tests change it. */
export interface DaemonSettings {
  readonly domains?: { readonly default?: string; readonly namespaces?: Readonly<Record<string, string>> };
  readonly fuse?: { readonly passthrough?: boolean };
  /** Also makes containerd deliver layers as EROFS images, where it is able to. */
  readonly erofs_layers?: boolean;
  readonly verify_on_read?: boolean;
  readonly build?: {
    readonly encoder: string;
    readonly level?: number;
    readonly rules?: readonly { readonly pattern: string; readonly encoder: string }[];
  };
}

export interface HostOptions {
  /** A directory with programs that containerd is to find before those of PATH. */
  readonly programs?: string;
  /** Where another containerd lies than the one that the tests use. */
  readonly binaryDirectory?: string;
  /** Daemons whose layers are unpacked by their own diff service, by how that reads the blobs; containerd 2.x. */
  readonly directly?: Readonly<Record<string, 'file' | 'socket'>>;
  /** Added to the environment of the daemons. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Where a snapshot is to be found: containerd keeps them apart by namespace and by snapshotter. */
export interface Place {
  readonly namespace: string;
  readonly snapshotter: string;
}

/** Keeps containerd's garbage collector off a snapshot that belongs to no image and no container. */
const GC_ROOT = 'containerd.io/gc.root=test';

const START_LIMIT = 30_000;

/** Below the host's directory: containerd's own. */
const CONTAINERD = 'c';

/** Below the host's directory: where trees are mounted. */
const TREES = 'trees';

/** A daemon with the command that talks to it. */
export interface Daemon {
  readonly snapshotter: PrivateSnapshotter;
  readonly ishare: IshareCommand;
}

/** A snapshot of an image, mounted on the host as containerd would mount it for a container. */
export interface MountedTree extends AsyncDisposable {
  readonly path: string;
  readonly key: string;
  /** Leaves the snapshot, for committing. */
  unmount(): void;
}

/**
 * A namespace of containerd's that no other test process uses: cgroups and the sockets of shims are shared by the
 * whole machine.
 */
export function ownNamespace(word: string): string {
  return `${word}-${process.pid}`;
}

/**
 * One containerd with any number of our daemons beside it, by the name that `--snapshotter` takes. Disposing of it
 * ends containers, daemons and mounts, also those that a failed test left.
 */
export class ContainerHost implements AsyncDisposable {
  /** Keys of trees that were prepared and not removed: after failures containerd may have such as no list shows. */
  readonly treeKeys = new Set<string>();
  #keys = 0;

  private constructor(
    private readonly ownership: Ownership,
    /** For archives and other files of the test's; goes with the host. */
    readonly directory: string,
    readonly containerd: PrivateContainerd,
    private readonly daemons: ReadonlyMap<string, Daemon>,
  ) {}

  static async start(
    settings: Readonly<Record<string, DaemonSettings>>,
    options: HostOptions = {},
  ): Promise<ContainerHost> {
    const ownership = new Ownership();
    try {
      const { path } = ownership.own(await TemporaryDirectory.create('ishare-e2e'));
      const { directly = {}, ...containerdOptions } = options;
      const daemons = new Map<string, Daemon>();
      const places = containerdPlaces(join(path, CONTAINERD));
      for (const [name, setting] of Object.entries(settings)) {
        const snapshotter = ownership.own(
          await PrivateSnapshotter.start({
            directory: join(path, name),
            configuration: stringify({
              ...setting,
              containerd: {
                address: places.socket,
                ...(directly[name] === 'file' ? { content_root: places.content } : {}),
              },
            }),
            environment: options.environment ?? {},
          }),
        );
        daemons.set(name, { snapshotter, ishare: new IshareCommand(snapshotter.adminSocket) });
      }
      const proxies = [...daemons].map(([name, { snapshotter }]) => ({
        name,
        socket: snapshotter.socket,
        erofsLayers: settings[name]?.erofs_layers === true,
        unpacksItself: directly[name] !== undefined,
      }));
      const containerd = ownership.own(
        await PrivateContainerd.start({
          directory: join(path, CONTAINERD),
          proxies,
          ...containerdOptions,
        }),
      );
      return new ContainerHost(ownership, path, containerd, daemons);
    } catch (error) {
      await ownership[Symbol.asyncDispose]();
      throw error;
    }
  }

  daemon(name: string): Daemon {
    const daemon = this.daemons.get(name);
    if (daemon === undefined) throw new Error(`there is no daemon ${name}`);
    return daemon;
  }

  /** Starts a daemon that has ended again, on the same directories, and waits until containerd reaches it. */
  async restart(name: string): Promise<void> {
    await this.daemon(name).snapshotter.restart();
    await this.waitUntilReached(name);
  }

  /**
   * Waits until containerd reaches a daemon. After a crash the old socket is still there for a while, and containerd dials
   * anew at intervals of its own; until then it fails calls at once.
   */
  async waitUntilReached(name: string): Promise<void> {
    // Of a namespace without snapshots it answers questions by itself; to make one, it must ask the daemon.
    const place = { namespace: ownNamespace('restart'), snapshotter: name };
    const deadline = Date.now() + START_LIMIT;
    for (;;) {
      const key = `restart-${++this.#keys}`;
      try {
        await this.#snapshots(['prepare', key], place);
        await this.#snapshots(['remove', key], place).catch(ignoreCollected);
        return;
      } catch (error) {
        if (!(error instanceof CtrError) || Date.now() > deadline) throw error;
        await sleep(100);
      }
    }
  }

  /** Rejects, with the findings, unless `ishare doctor` finds nothing. */
  async expectHealthy(name: string): Promise<void> {
    const { root, state, adminSocket } = this.daemon(name).snapshotter;
    const flags = ['--root', root, '--state', state, '--admin-address', adminSocket];
    await runCommand(join(CHECKOUT, 'bin', 'ishare'), ['doctor', ...flags], { timeLimit: 60_000 });
  }

  async import(images: readonly WrittenImage[], place: Place): Promise<void> {
    for (const { archive } of images) await this.containerd.import(archive, place);
  }

  /** Runs a container that is removed when it is disposed of, unless it is gone by then. */
  async run(
    image: WrittenImage,
    place: Place,
    command: readonly string[] = [],
    limits: Pick<CtrOptions, 'timeLimit'> = {},
  ): Promise<Container> {
    const id = `c${++this.#keys}`;
    const pid = await this.containerd.run(image.reference, id, { ...place, ...limits, command });
    return new Container(this.containerd, id, pid, place);
  }

  /**
   * Makes an active snapshot (or a view) on an image's top layer, or on a committed snapshot by its name, and mounts
   * it below the host's directory.
   * `ctr images mount` would do, but that of containerd 1.6 takes no snapshotter.
   */
  async mountTree(
    parent: WrittenImage | string,
    place: Place,
    kind: 'prepare' | 'view' = 'prepare',
  ): Promise<MountedTree> {
    const key = `tree-${++this.#keys}`;
    this.treeKeys.add(key);
    const path = join(this.directory, TREES, key);
    await mkdir(path, { recursive: true });
    const name = typeof parent === 'string' ? parent : topSnapshot(parent);
    await runMountCommand(await this.#makeSnapshot([kind, '--target', path, key, name], place));
    return {
      path,
      key,
      unmount: () => unmount(path),
      [Symbol.asyncDispose]: async () => {
        unmount(path);
        await this.#snapshots(['remove', key], place);
        this.treeKeys.delete(key);
      },
    };
  }

  /** Commits a tree, which must be unmounted, and returns the file of the image. */
  async commit({ key }: MountedTree, name: string, place: Place): Promise<string> {
    await this.#snapshots(['commit', name, key], place);
    await this.#snapshots(['label', name, GC_ROOT], place);
    return this.imageFile(name, place.snapshotter);
  }

  /** The file of a committed snapshot's image. */
  async imageFile(name: string, snapshotter: string): Promise<string> {
    const images = await this.daemon(snapshotter).ishare.images();
    const [image, ...others] = images.filter((found) => found.name.endsWith(`/${name}`));
    if (image === undefined || others.length > 0) throw new Error(`not exactly one image is named ${name}`);
    return image.path;
  }

  /** Makes a snapshot that containerd's garbage collector leaves alone, and returns what ctr printed. */
  async #makeSnapshot(
    words: readonly [...string[], key: string, parent: string],
    place: Place,
  ): Promise<string> {
    const key = words.at(-2)!;
    for (let attempt = 1; ; attempt++) {
      const output = await this.#snapshots(words, place);
      try {
        await this.#snapshots(['label', key, GC_ROOT], place);
        return output;
      } catch (error) {
        // A collection that was under way took it between the two calls.
        if (!(error instanceof CtrError && error.kind === 'not-found') || attempt === 5) throw error;
      }
    }
  }

  #snapshots(words: readonly string[], place: Place): Promise<string> {
    return this.containerd.ctr(['snapshots', '--snapshotter', place.snapshotter, ...words], place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Trees that a failed test left mounted would keep their snapshots in use.
    await detachMountsBelow(join(this.directory, TREES));
    await this.ownership[Symbol.asyncDispose]();
  }
}

/** A running container. */
export class Container implements AsyncDisposable {
  #removed = false;

  constructor(
    private readonly containerd: PrivateContainerd,
    readonly id: string,
    /** Of its first process. */
    readonly pid: number,
    private readonly place: Place,
  ) {}

  /** Where the host sees its root directory: as it was mounted, without what is mounted on top in the container. */
  get rootfs(): string {
    const tasks = join(this.containerd.directory, 'state', 'io.containerd.runtime.v2.task');
    return join(tasks, this.place.namespace, this.id, 'rootfs');
  }

  exec(...command: string[]): Promise<string> {
    return this.containerd.exec(this.id, { ...this.place, command });
  }

  async remove(): Promise<void> {
    if (this.#removed) return;
    await this.containerd.removeContainer(this.id, this.place);
    this.#removed = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }
}

/** containerd's garbage collector may be faster. */
function ignoreCollected(error: unknown): void {
  if (!(error instanceof CtrError && error.kind === 'not-found')) throw error;
}

/** The name of an image's topmost snapshot: its chain id (OCI image specification, "Layer ChainID"). */
export function topSnapshot(image: WrittenImage): string {
  return chainIds(image).at(-1)!;
}

/** The chain ids of an image's layers, the lowest first. */
export function chainIds({ layers }: WrittenImage): string[] {
  const chain: string[] = [];
  for (const { diffId } of layers) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : sha256(`${parent} ${diffId}`));
  }
  return chain;
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** Runs the command that `ctr snapshots` prints: `mount -t TYPE SOURCE TARGET -o OPTIONS`, no word with a space in it. */
async function runMountCommand(output: string): Promise<void> {
  const [command, ...rest] = output.trim().split('\n');
  const [program, ...words] = (command ?? '').split(' ');
  if (program !== 'mount' || rest.length > 0) throw new Error(`not one mount command: ${output}`);
  await runCommand(program, words, { timeLimit: 10_000 });
}
