import type { CacheBudget, CacheEntry } from '../cache-budget';
import type { PclusterExtent } from './extent';

/** What the position of a pcluster counts from: the image, the inode's home, or the metabox as the inode's home. */
export type PclusterHome = 'image' | 'inline' | 'metabox';

/** A pcluster and what it decodes to. Extents that show different lengths of it are of one pcluster. */
class Decoded implements CacheEntry {
  touched = false;

  constructor(
    readonly home: PclusterHome,
    readonly extent: PclusterExtent,
    readonly bytes: Buffer,
    private readonly owner: Map<number, Decoded>,
  ) {}

  get weight(): number {
    return this.bytes.length;
  }

  evict(): void {
    this.owner.delete(this.extent.position);
  }
}

interface Pending {
  readonly home: PclusterHome;
  readonly extent: PclusterExtent;
  readonly bytes: Promise<Buffer>;
}

/**
 * Decoded pclusters of one image, within a budget that images may share. Whoever wants one that is being decoded
 * waits for it: none is decoded twice at a time.
 */
export class DecodedCache {
  /** By position: no two pclusters of a sound image have the same. */
  readonly #entries = new Map<number, Decoded>();
  readonly #pending = new Map<number, Pending>();
  #closed = false;

  constructor(private readonly budget: CacheBudget) {}

  /** At least as many bytes of a pcluster as the extent shows if they are here, or on their way; else undefined. */
  get(home: PclusterHome, extent: PclusterExtent): Buffer | Promise<Buffer> | undefined {
    const entry = this.#entries.get(extent.position);
    if (entry !== undefined && covers(entry, home, extent)) {
      entry.touched = true;
      return entry.bytes;
    }
    const pending = this.#pending.get(extent.position);
    return pending !== undefined && covers(pending, home, extent) ? pending.bytes : undefined;
  }

  /** Takes in what an extent was decoded to, or will be; gives the same back. */
  add(home: PclusterHome, extent: PclusterExtent, bytes: Buffer | Promise<Buffer>): Buffer | Promise<Buffer> {
    if (!(bytes instanceof Promise)) {
      this.#keep(home, extent, bytes);
      return bytes;
    }
    const pending: Pending = { home, extent, bytes };
    this.#pending.set(extent.position, pending);
    const forget = (): void => {
      if (this.#pending.get(extent.position) === pending) this.#pending.delete(extent.position);
    };
    // The failure is for those who wait for `bytes`; here it only means that there is nothing to keep.
    bytes
      .then(
        (decoded) => this.#keep(home, extent, decoded),
        () => undefined,
      )
      .finally(forget);
    return bytes;
  }

  /** Forgets everything, and keeps nothing from here on. */
  clear(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) this.budget.remove(entry);
    this.#entries.clear();
  }

  #keep(home: PclusterHome, extent: PclusterExtent, bytes: Buffer): void {
    if (this.#closed) return;
    const before = this.#entries.get(extent.position);
    if (before !== undefined) {
      if (covers(before, home, extent)) return;
      this.budget.remove(before);
    }
    const entry = new Decoded(home, extent, bytes, this.#entries);
    this.#entries.set(extent.position, entry);
    this.budget.add(entry);
  }
}

/** Whether what is kept is of the same pcluster as the extent, and as long. */
function covers(
  kept: { readonly home: PclusterHome; readonly extent: PclusterExtent },
  home: PclusterHome,
  { size, coding, length }: PclusterExtent,
): boolean {
  const { extent } = kept;
  return kept.home === home && extent.size === size && extent.coding === coding && extent.length >= length;
}
