import type { BackingId, NodeId } from '../fuse/file-system';
import type { Nid } from '../erofs/brands';
import type { Attachment } from './attachment';
import { CacheHistory } from './cache-history';
import type { Fingerprint } from './fingerprint';

/** One EROFS inode that holds the bytes of a dedup inode. */
export interface Backing {
  readonly attachment: Attachment;
  readonly nid: Nid;
  /** In which generation of the inode's pages it was last opened through this inode; undefined: never. */
  openedIn: number | undefined;
  /** Files that are open through it. */
  openFiles: number;
  /** Its image is no longer believed: it supplies bytes only where nobody else can, and nothing new opens through it. */
  distrusted: boolean;
}

/** What there is to know of a dedup inode, whether it is dormant or not. */
export interface DedupFacts {
  readonly node: NodeId;
  readonly domain: DedupDomain;
  readonly name: string;
  readonly fingerprint: Fingerprint | undefined;
  readonly size: number;
  readonly backings: readonly Backing[];
  readonly openFiles: number;
  users(cachedBytes: number): readonly Backing[];
}

/**
 * One content in one domain: the inode whose page cache every image of the domain shares. It lives in the ishare
 * mount under `<domain token>/<name>`. Files of images whose fingerprints are not believed have one of their own each.
 */
export class DedupInode implements DedupFacts {
  /** Files that are open through it. While there is one, `backingId` must stay what it is. */
  openFiles = 0;
  /** The images connection's number for this inode's file, once something has opened it. */
  backingId: BackingId | undefined;
  /** Set while the first open is under way, so that a second one waits instead of registering twice. */
  registering: Promise<BackingId> | undefined;
  #backings: Backing[] = [];
  /** Undefined as long as nobody has opened it. */
  #history: CacheHistory | undefined;

  constructor(
    readonly node: NodeId,
    readonly domain: DedupDomain,
    /** In the directory of its domain: the digest, or another name for one that is not shared. */
    readonly name: string,
    /** Undefined: it belongs to one file of one image. */
    readonly fingerprint: Fingerprint | undefined,
    /** Bytes. */
    readonly size: number,
  ) {}

  /** EROFS inodes that can supply the bytes: in the order in which they came. */
  get backings(): readonly Backing[] {
    return this.#backings;
  }

  addBacking(backing: Backing): void {
    // The first push to an empty array makes room for 17.
    if (this.#backings.length === 0) this.#backings = [backing];
    else this.#backings.push(backing);
  }

  removeBacking(backing: Backing): void {
    const index = this.#backings.indexOf(backing);
    if (index >= 0) this.#backings.splice(index, 1);
  }

  /** Nobody has it open and no attached image holds it. */
  get unused(): boolean {
    return this.openFiles === 0 && this.backings.length === 0;
  }

  opened(backing: Backing): void {
    this.openFiles += 1;
    backing.openFiles += 1;
    this.#history ??= new CacheHistory();
    backing.openedIn = this.#history.generation;
  }

  closed(backing: Backing): void {
    this.openFiles -= 1;
    backing.openFiles -= 1;
  }

  /** Bytes were read into the cache. */
  pagesRead(offset: number, length: number): void {
    this.#history ??= new CacheHistory();
    if (this.#history.pagesRead(offset, length)) this.#countOpenFiles(this.#history);
  }

  /**
   * Those of its backing inodes through which it was opened since its pages came in: each would have pages of its own,
   * were it not shared. `cachedBytes`: what the kernel holds now.
   */
  users(cachedBytes: number): Backing[] {
    if (this.#history === undefined) return [];
    const from = this.#history.countedFrom(cachedBytes);
    if (cachedBytes === 0) this.#countOpenFiles(this.#history);
    return this.backings.filter(({ openedIn }) => openedIn !== undefined && openedIn >= from);
  }

  /** What is open goes on reading: it counts in the new generation too. */
  #countOpenFiles({ generation }: CacheHistory): void {
    for (const backing of this.backings) if (backing.openFiles > 0) backing.openedIn = generation;
  }
}

/** The dedup inodes of one domain. */
export interface DedupDomain {
  readonly id: number;
  readonly name: string;
  /** Public name of the domain's directory in both mounts. */
  readonly token: string;
  /** The domain_id of the key. Never shown. */
  readonly secret: Buffer;
  /** How many there are. */
  inodes: number;
}
