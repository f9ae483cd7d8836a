import { randomBytes } from 'node:crypto';
import { closeSync, fdatasyncSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errno, errorCode, SystemCallError, type ErrnoName } from '../../linux/errno';
import { dropCachedPages } from '../../linux/page-cache';
import type { ContentReader, ContentSource } from './content';

/** Bytes gathered for one write(2). */
const GATHER = 1024 * 1024;

/** Bytes around a read that are kept. Not more: who reads in an order of his own would read all of it each time. */
const NEIGHBOURHOOD = 128 * 1024;

/**
 * The file's pages leave the page cache each time that this many bytes were written, and each time that as many were
 * read. What is smaller never needs the disk.
 */
const RELEASE_EVERY = 64 * 1024 * 1024;

/** A stretch of a file whose bytes are in a spool; what lies between the stretches of a file is a hole. */
export interface SpooledStretch {
  /** Byte offset in the file. */
  readonly start: number;
  /** Bytes, at least 1. */
  readonly length: number;
  /** Byte offset in the spool, as `append` gave it. */
  readonly offset: number;
}

/**
 * A temporary file without a name, for bytes that come when they cannot be placed yet: appended in any portions, read
 * back later in any order, gone when it is disposed of. Its calls are synchronous, and its pages do not pile up in the
 * page cache. Errors of the file system come as SystemCallError naming the directory.
 */
export class Spool implements Disposable {
  readonly #fd: number;
  readonly #gathered = Buffer.allocUnsafe(GATHER);
  #pending = 0;
  /** Bytes in the file, which `#gathered` continues. */
  #written = 0;
  #writtenSinceRelease = 0;
  #readSinceRelease = 0;
  /** Bytes of the file around the last read; written bytes never change. */
  readonly #near = { start: 0, length: 0, bytes: Buffer.allocUnsafeSlow(NEIGHBOURHOOD) };
  #open = true;

  /** @param directory where the file takes its room, best the file system where the image will be. */
  constructor(private readonly directory: string) {
    // The form of a temporary image's name: after a crash between the two calls it is swept up as one.
    const path = join(directory, `.spool.tmp-${randomBytes(8).toString('hex')}`);
    this.#fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
  }

  /** Bytes appended. */
  get size(): number {
    return this.#written + this.#pending;
  }

  /** Takes over a copy of `bytes`; returns the offset at which `read` finds them. */
  append(bytes: Buffer): number {
    const offset = this.size;
    if (this.#pending + bytes.length > GATHER) this.#flush();
    if (bytes.length > GATHER) {
      this.#write(bytes);
    } else {
      this.#pending += bytes.copy(this.#gathered, this.#pending);
    }
    return offset;
  }

  /**
   * A copy of `length` bytes from `offset`, all of which must have been appended. Reads near the one before are cheap:
   * their neighbourhood is kept.
   */
  read(offset: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    if (offset < 0 || offset + length > this.#written || length > NEIGHBOURHOOD / 2) {
      this.readInto(bytes, offset);
      return bytes;
    }
    const near = this.#near;
    if (offset < near.start || offset + length > near.start + near.length) {
      // Some of what is before, too: who reads in an order of his own goes back a little now and then.
      const start = Math.max(0, offset - NEIGHBOURHOOD / 4);
      const end = Math.min(start + NEIGHBOURHOOD, this.#written);
      // Should the read fail, nothing is known any more.
      near.length = 0;
      this.readInto(near.bytes.subarray(0, end - start), start);
      near.start = start;
      near.length = end - start;
    }
    near.bytes.copy(bytes, 0, offset - near.start);
    return bytes;
  }

  /** Fills `target` from `offset` on. Throws RangeError where bytes are wanted that were never appended. */
  readInto(target: Buffer, offset: number): void {
    if (offset < 0 || offset + target.length > this.size) {
      throw new RangeError(`${target.length} bytes at ${offset} of a spool of ${this.size}`);
    }
    const fromFile = Math.max(0, Math.min(target.length, this.#written - offset));
    for (let done = 0; done < fromFile;) {
      const count = this.#attempt('read', () =>
        readSync(this.#fd, target, done, fromFile - done, offset + done),
      );
      if (count === 0) throw new SystemCallError('read', errno.EIO, this.#label());
      done += count;
    }
    const behind = offset + fromFile - this.#written;
    if (fromFile < target.length)
      this.#gathered.copy(target, fromFile, behind, behind + target.length - fromFile);
    this.#readSinceRelease += fromFile;
    if (this.#readSinceRelease >= RELEASE_EVERY) {
      this.#readSinceRelease = 0;
      dropCachedPages(this.#fd);
    }
  }

  /**
   * A file of `size` bytes made of stretches, in ascending order and without overlap. It reads as long as the spool
   * lives, in any order beside others.
   */
  content(size: number, stretches: readonly SpooledStretch[]): ContentSource {
    return new SpooledContent(this, size, stretches);
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.#fd);
  }

  #flush(): void {
    const pending = this.#gathered.subarray(0, this.#pending);
    // First: should the write fail, the spool is not to be used any more, and says so in its size.
    this.#pending = 0;
    this.#write(pending);
  }

  #write(bytes: Buffer): void {
    for (let done = 0; done < bytes.length;) {
      done += this.#attempt('write', () =>
        writeSync(this.#fd, bytes, done, bytes.length - done, this.#written + done),
      );
    }
    this.#written += bytes.length;
    this.#writtenSinceRelease += bytes.length;
    if (this.#writtenSinceRelease >= RELEASE_EVERY) {
      this.#writtenSinceRelease = 0;
      // Dirty pages cannot be dropped.
      this.#attempt('fdatasync', () => fdatasyncSync(this.#fd));
      dropCachedPages(this.#fd);
    }
  }

  /** Node's errors about descriptors do not say which file it was. */
  #attempt<T>(syscall: string, step: () => T): T {
    if (!this.#open) throw new Error(`${this.#label()}: used after it was closed`);
    try {
      return step();
    } catch (error) {
      const number = errno[(errorCode(error) ?? '') as ErrnoName] as number | undefined;
      if (number === undefined) throw error;
      throw new SystemCallError(syscall, number, this.#label(), { cause: error });
    }
  }

  #label(): string {
    return `temporary file in ${this.directory}`;
  }
}

/** A regular file whose bytes are in a spool. */
class SpooledContent implements ContentSource {
  constructor(
    private readonly spool: Spool,
    readonly size: number,
    private readonly stretches: readonly SpooledStretch[],
  ) {}

  open(): ContentReader {
    return new SpooledReader(this.spool, this.size, this.stretches);
  }
}

class SpooledReader implements ContentReader {
  #position = 0;
  /** The first stretch that is not wholly read. */
  #next = 0;

  constructor(
    private readonly spool: Spool,
    private readonly size: number,
    private readonly stretches: readonly SpooledStretch[],
  ) {}

  read(target: Buffer): number {
    const wanted = Math.min(target.length, this.size - this.#position);
    let done = 0;
    while (done < wanted) done += this.#readSome(target.subarray(done, wanted));
    return done;
  }

  verify(): void {
    // Nobody else has the file: its bytes are what was appended.
  }

  [Symbol.dispose](): void {
    // The spool holds the file.
  }

  /** Up to the next edge of a stretch. */
  #readSome(target: Buffer): number {
    const stretch = this.stretches[this.#next];
    const inside = stretch === undefined ? 0 : this.#position - stretch.start;
    let count: number;
    if (stretch === undefined || inside < 0) {
      count = Math.min(target.length, inside < 0 ? -inside : target.length);
      target.fill(0, 0, count);
    } else {
      count = Math.min(target.length, stretch.length - inside);
      this.spool.readInto(target.subarray(0, count), stretch.offset + inside);
      if (inside + count === stretch.length) this.#next++;
    }
    this.#position += count;
    return count;
  }
}
