import { dropCachedPages } from '../../linux/page-cache';
import type { InodePlan } from './inode-plan';
import type { Pace } from './pace';

/** How far a build is. */
export interface BuildProgress {
  /** A tar is read first, as a whole; of a directory, this says nothing until its entries are known. */
  readonly stage: 'reading' | 'writing';
  readonly inodes: number;
  /** 0: not known yet. */
  readonly totalInodes: number;
  /** Bytes of the tar that were read, or bytes of file content that were taken in for writing. */
  readonly bytes: number;
  /** 0: not known. */
  readonly totalBytes: number;
}

/** Content bytes after which what was written leaves the page cache, as far as it has reached the disk. */
const DROP_EVERY = 64 * 1024 * 1024;

/** Counts what is written, reports it when it is time for a breath, and keeps the page cache small meanwhile. */
export class ProgressMeter {
  #inodes = 0;
  #bytes = 0;
  #undropped = 0;
  /** Undefined as long as the tree is not known: others report then. */
  #totals: { readonly inodes: number; readonly bytes: number } | undefined;

  constructor(
    private readonly fd: number,
    private readonly pace: Pace,
    private readonly onProgress: ((progress: BuildProgress) => void) | undefined,
  ) {}

  /** The tree is known. @param takenIn bytes of its files that have been taken in already. */
  begin(inodes: readonly InodePlan[], takenIn: number): void {
    this.#totals = { inodes: inodes.length, bytes: contentBytes(inodes) };
    this.#bytes = takenIn;
  }

  countInode(): void {
    this.#inodes++;
  }

  countContent(bytes: number): void {
    this.#bytes += bytes;
    this.#undropped += bytes;
    if (this.#undropped < DROP_EVERY) return;
    this.#undropped = 0;
    dropCachedPages(this.fd);
  }

  due(): boolean {
    return this.pace.due();
  }

  /** Throws the reason of an abort. */
  async breathe(): Promise<void> {
    this.report();
    await this.pace.breathe();
  }

  report(): void {
    if (this.#totals === undefined) return;
    this.onProgress?.({
      stage: 'writing',
      inodes: this.#inodes,
      totalInodes: this.#totals.inodes,
      bytes: this.#bytes,
      totalBytes: this.#totals.bytes,
    });
  }
}

/** Bytes in all files. */
export function contentBytes(inodes: readonly InodePlan[]): number {
  return inodes.reduce((total, inode) => (inode.regularFile ? total + inode.size : total), 0);
}
