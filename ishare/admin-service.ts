import { release } from 'node:os';
import type { handleUnaryCall } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { ConfigError } from '../config/load';
import type { AdminHandlers } from '../proto/admin';
import {
  InodeOrder,
  type DomainState,
  type ImageState,
  type InodeState,
  type StatusResponse,
} from '../proto/admin-messages';
import { domainState, inodeState, totals, type CountedInode } from './accounting';
import type { LogSink } from './engine';
import type { Inventory } from './inventory';
import { probeCachedBytes } from './worker/cache-probe';
import type { EngineClient } from './worker/engine-client';
import type { EngineState } from './worker/messages';

/** What the admin service asks of the rest of the daemon. */
export interface AdminSources {
  readonly version: string;
  readonly root: string;
  readonly state: string;
  readonly address: string;
  /** Reads the configuration again; see LivePolicy. */
  reload(): Promise<string[]>;
  /** Number of snapshots of all kinds. */
  snapshots(): number;
  /** Names of all domains that were ever used or are configured. */
  domainNames(): readonly string[];
  /** All committed images. */
  images(): readonly {
    readonly name: string;
    readonly path: string;
    readonly size: number;
    readonly inodes: number;
  }[];
}

/** Answers the `ishare` command. */
export class AdminService {
  readonly #engine: EngineClient;
  readonly #sources: AdminSources;
  readonly #log: LogSink;

  constructor(engine: EngineClient, sources: AdminSources, log: LogSink) {
    this.#engine = engine;
    this.#sources = sources;
    this.#log = log;
  }

  handlers(): AdminHandlers {
    return {
      Status: this.#answer(() => this.status()),
      ListDomains: this.#answer(async () => ({ domains: await this.domains() })),
      ListInodes: this.#answer(async ({ domain, order, limit }) => ({
        inodes: await this.inodes(domain, order, limit),
      })),
      ListImages: this.#answer(async () => ({ images: await this.images() })),
      ReloadConfig: this.#answer(async () => ({ waiting_for_restart: await this.#sources.reload() })),
    };
  }

  async status(): Promise<StatusResponse> {
    const engine = await this.#engine.state();
    const { images, counted } = await this.#count(engine);
    const { version, root, state, address } = this.#sources;
    const { cachedBytes, savedBytes } = totals(counted);
    return {
      version,
      pid: process.pid,
      root,
      state,
      address,
      kernel: release(),
      passthrough: engine.passthrough,
      sharing: describeSharing(engine),
      snapshots: this.#sources.snapshots(),
      images: this.#sources.images().length,
      attached_images: images.length,
      dedup_inodes: counted.length,
      open_files: engine.openFiles,
      backing_ids: engine.backingIds,
      cached_bytes: cachedBytes,
      saved_bytes: savedBytes,
      uptime_seconds: process.uptime(),
      rss_bytes: process.memoryUsage.rss(),
      images_requests: engine.requests.images,
      ishare_requests: engine.requests.ishare,
    };
  }

  async domains(): Promise<DomainState[]> {
    const { images, counted } = await this.#count(await this.#engine.state());
    return this.#sources.domainNames().map((name) =>
      domainState(
        name,
        images.filter((image) => image.domain === name).length,
        counted.filter((inode) => inode.domain === name),
      ),
    );
  }

  async inodes(domain: string, order: number, limit: number): Promise<InodeState[]> {
    const { counted } = await this.#count(await this.#engine.state());
    const chosen = domain === '' ? counted : counted.filter((inode) => inode.domain === domain);
    const sorted = chosen.map(inodeState).sort(comparison(order));
    return limit > 0 ? sorted.slice(0, limit) : sorted;
  }

  async images(): Promise<ImageState[]> {
    const { images } = await this.#engine.inventory();
    return this.#sources.images().map((image) => {
      const attached = images.filter(({ imagePath }) => imagePath === image.path);
      return {
        ...image,
        attached_in: attached.map(({ domain }) => domain ?? ''),
        shared_files: attached.reduce((sum, { sharedFiles }) => sum + sharedFiles, 0),
      };
    });
  }

  async #count(engine: EngineState): Promise<{ images: Inventory['images']; counted: CountedInode[] }> {
    const { images, inodes } = await this.#engine.inventory();
    const cached = await probeCachedBytes(engine.ishareMount, inodes);
    return { images, counted: inodes.map((inode, index) => ({ ...inode, cachedBytes: cached[index] ?? 0 })) };
  }

  #answer<Request, Response>(
    work: (request: Request) => Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      work(call.request).then(
        (response) => callback(null, response),
        (error: unknown) => {
          const message = error instanceof Error ? error.message : String(error);
          this.#log('error', 'an admin request failed', { method: call.getPath(), error: message });
          const code = error instanceof ConfigError ? status.FAILED_PRECONDITION : status.INTERNAL;
          callback({ code, details: message });
        },
      );
    };
  }
}

function describeSharing({ passthrough }: EngineState): string {
  return passthrough
    ? 'full: read, mmap and exec use the shared pages'
    : 'none: files are cached image by image, because this kernel or the configuration has no FUSE passthrough (Linux 6.9)';
}

/** Largest first, but fingerprints in their own order. Equal ones by fingerprint, so that lists are stable. */
function comparison(order: number): (a: InodeState, b: InodeState) => number {
  const byName = (a: InodeState, b: InodeState): number => (a.fingerprint < b.fingerprint ? -1 : 1);
  const key = orderKeys[order] ?? 'saved_bytes';
  if (key === 'fingerprint') return byName;
  return (a, b) => b[key] - a[key] || byName(a, b);
}

const orderKeys: Readonly<
  Record<number, 'saved_bytes' | 'cached_bytes' | 'size' | 'images' | 'open_files' | 'fingerprint'>
> = {
  [InodeOrder.SAVED]: 'saved_bytes',
  [InodeOrder.CACHED]: 'cached_bytes',
  [InodeOrder.SIZE]: 'size',
  [InodeOrder.IMAGES]: 'images',
  [InodeOrder.OPEN]: 'open_files',
  [InodeOrder.FINGERPRINT]: 'fingerprint',
};
