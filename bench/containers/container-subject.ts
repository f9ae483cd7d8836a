import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'smol-toml';
import { containerdPlaces, PrivateContainerd } from '../../scripts/containerd/private-containerd';
import { PrivateSnapshotter } from '../../scripts/containerd/private-snapshotter';
import { shimsOf } from '../../scripts/containerd/shims';
import { descendantsOf } from '../../scripts/process/process-table';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { Paths } from '../../snapshotter/paths';
import type { Encoding } from '../images/image-store';
import type { Tools } from '../tool/tools';

const DELETION_STEP_MS = 50;
const DELETION_LIMIT_MS = 60_000;

/** A snapshotter to run containers with. */
export interface ContainerSubject {
  readonly name: string;
  /** What is missing for it here, in words, or undefined. */
  readonly unavailable: string | undefined;
  start(signal: AbortSignal): Promise<ContainerPlace>;
}

/** The same containerd for all: 2.x where it was fetched, else the system's. */
export function containerSubjects(tools: Tools): ContainerSubject[] {
  const ours = (name: string, domain: string, encoder: Encoding): ContainerSubject => ({
    name,
    unavailable: undefined,
    start: (signal) =>
      ContainerPlace.start(tools, signal, 'ishare', {
        domains: { default: domain },
        ...(encoder === 'plain' ? {} : { build: { encoder } }),
      }),
  });
  const own = (name: string, unavailable?: string): ContainerSubject => ({
    ...{ name, unavailable },
    start: (signal) => ContainerPlace.start(tools, signal, name.replace(' snapshotter', '')),
  });
  const needs: string[] = [];
  if (tools.containerd2 === undefined) needs.push('containerd 2');
  if (tools.find('erofs-utils', 'mkfs.erofs') === undefined) needs.push('erofs-utils');
  return [
    ours('ishare', 'bench', 'plain'),
    ours('ishare, lz4', 'bench', 'lz4'),
    ours('ishare, zstd', 'bench', 'zstd'),
    ours('ishare, no domain', '', 'plain'),
    own('overlayfs snapshotter'),
    own(
      'erofs snapshotter',
      needs.length === 0 ? undefined : `${needs.join(' and ')} not fetched (scripts/install-bench-tools.sh)`,
    ),
  ];
}

/** A containerd of its own, with one snapshotter that is measured. */
export class ContainerPlace implements AsyncDisposable {
  private constructor(
    private readonly directory: TemporaryDirectory,
    readonly containerd: PrivateContainerd,
    readonly snapshotter: string,
    readonly daemon: PrivateSnapshotter | undefined,
  ) {}

  static async start(
    tools: Tools,
    signal: AbortSignal,
    snapshotter: string,
    configuration?: object,
  ): Promise<ContainerPlace> {
    const directory = await TemporaryDirectory.create('bench-c');
    const containerdDirectory = join(directory.path, 'c');
    const { socket, content } = containerdPlaces(containerdDirectory);
    let daemon: PrivateSnapshotter | undefined;
    try {
      if (configuration !== undefined) {
        daemon = await PrivateSnapshotter.start({
          directory: join(directory.path, 's'),
          configuration: stringify({
            ...configuration,
            containerd: { address: socket, content_root: content },
          }),
          signal,
        });
      }
      const unpacksItself = tools.containerd2 !== undefined;
      const programs = join(directory.path, 'programs');
      await mkdir(programs);
      const mkfs = tools.find('erofs-utils', 'mkfs.erofs');
      if (mkfs !== undefined) {
        const command = [mkfs.program, ...mkfs.words].join(' ');
        await writeFile(join(programs, 'mkfs.erofs'), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
      }
      const containerd = await PrivateContainerd.start({
        directory: containerdDirectory,
        binaryDirectory: tools.containerd2,
        proxies: daemon === undefined ? [] : [{ name: snapshotter, socket: daemon.socket, unpacksItself }],
        unpackForErofs: snapshotter === 'erofs',
        programs,
        signal,
      });
      return new ContainerPlace(directory, containerd, snapshotter, daemon);
    } catch (error) {
      await daemon?.[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of containerd and of our daemon, with what they have started besides shims. */
  async services(): Promise<number[]> {
    const own = [this.containerd.pid, ...(this.daemon === undefined ? [] : [this.daemon.pid])];
    const children = this.daemon === undefined ? [] : await descendantsOf(this.daemon.pid);
    return [...own, ...children];
  }

  async shims(): Promise<number[]> {
    return (await shimsOf(this.containerd.socket)).map(({ pid }) => pid);
  }

  /** The directory that snapshots take their room in. */
  get snapshotDirectory(): string {
    return (
      this.daemon?.root ??
      join(this.containerd.directory, 'root', `io.containerd.snapshotter.v1.${this.snapshotter}`)
    );
  }

  /** Where containerd keeps the blobs of images. */
  get contentDirectory(): string {
    return containerdPlaces(this.containerd.directory).content;
  }

  /** Resolves once our daemon has deleted what was removed: it does so in the background. */
  async deletedAll(signal: AbortSignal): Promise<void> {
    if (this.daemon === undefined) return;
    const { trash } = new Paths(this.daemon.root);
    const limited = { signal: AbortSignal.any([signal, AbortSignal.timeout(DELETION_LIMIT_MS)]) };
    while ((await readdir(trash)).length > 0) await sleep(DELETION_STEP_MS, undefined, limited);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.containerd[Symbol.asyncDispose]();
    } finally {
      await this.daemon?.[Symbol.asyncDispose]();
      await this.directory[Symbol.asyncDispose]();
    }
  }
}
