import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type BigIntStats } from 'node:fs';
import { naming } from '../../linux/named-failure';
import { SourceChangedError } from './errors';
import { entryPath, type HostDirectory } from './host-directories';

/** Where the bytes of a regular file come from. They are read once, in order, when their place is written. */
export interface ContentSource {
  /** Bytes. */
  readonly size: number;
  open(): ContentReader;
}

/** What gives the bytes of a file, in order. */
export interface ContentFeed {
  /** Gives up to `target.length` bytes, of which it says how many: 0 only at the end. */
  read(target: Buffer): number | Promise<number>;
  /** See ContentReader. */
  verify(): void;
}

/** Synchronous on purpose: images are built in worker threads, where waiting harms nobody. */
export interface ContentReader extends ContentFeed, Disposable {
  /** Reads up to `target.length` bytes and returns how many: 0 only at the end. */
  read(target: Buffer): number;
  /** To be called after the last byte: throws SourceChangedError where the source is not what was promised. */
  verify(): void;
}

/** Content that is in memory. */
export class BytesContent implements ContentSource {
  constructor(private readonly bytes: Buffer) {}

  get size(): number {
    return this.bytes.length;
  }

  open(): ContentReader {
    const { bytes } = this;
    let position = 0;
    return {
      read(target) {
        const copied = bytes.copy(target, 0, position);
        position += copied;
        return copied;
      },
      verify() {
        // Memory does not change behind our back.
      },
      [Symbol.dispose]() {
        // Nothing is held.
      },
    };
  }
}

/** What tells whether a file of the host is still the one whose attributes were read. */
export interface HostFileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: bigint;
}

/** A regular file of the host. */
export class HostFileContent implements ContentSource {
  constructor(
    private readonly directory: HostDirectory,
    private readonly name: Buffer,
    private readonly identity: HostFileIdentity,
  ) {}

  get size(): number {
    return this.identity.size;
  }

  open(): ContentReader {
    const shown = `${this.directory.shown}/${this.name.toString('utf8')}`;
    const path = entryPath(this.directory, this.name);
    return new HostFileReader(openUnchanged(path, shown, this.identity), shown, this.identity);
  }
}

/** O_NONBLOCK: what has become a fifo since must not hold us. */
function openUnchanged(path: Buffer, shown: string, expected: HostFileIdentity): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stats?.dev === expected.device && stats.ino === expected.inode) throw error;
    throw new SourceChangedError(shown, 'was removed or replaced while the image was built', {
      cause: error,
    });
  }
}

class HostFileReader implements ContentReader {
  constructor(
    private readonly fd: number,
    private readonly shown: string,
    private readonly expected: HostFileIdentity,
  ) {}

  read(target: Buffer): number {
    return naming(this.shown, () => readSync(this.fd, target, 0, target.length, null));
  }

  verify(): void {
    const stats: BigIntStats = naming(this.shown, () => fstatSync(this.fd, { bigint: true }));
    const { expected } = this;
    if (stats.dev !== expected.device || stats.ino !== expected.inode) {
      throw new SourceChangedError(this.shown, 'was replaced while the image was built');
    }
    if (stats.size !== BigInt(expected.size)) {
      throw new SourceChangedError(
        this.shown,
        `had ${expected.size} bytes, has ${stats.size.toString()} now: it was written to while the image was built`,
      );
    }
    if (stats.mtimeNs !== expected.mtimeNs) {
      throw new SourceChangedError(this.shown, 'was written to while the image was built');
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
