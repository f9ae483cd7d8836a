import { close, constants, fstat, open, read, type Stats } from 'node:fs';
import { promisify } from 'node:util';
import { DIRECT_IO_ALIGNMENT } from '../linux/aligned-buffer';
import { errorCode } from '../linux/errno';
import { dropCachedPages } from '../linux/page-cache';
import { rawAlignedBuffer } from '../linux/raw-aligned-buffer';
import { SpareBuffers } from '../linux/spare-buffers';
import { checkRange, type ByteSource } from './byte-source';
import { ErofsCorruptError, ErofsUsageError } from './errors';

const openFile = promisify(open);
const statFile = promisify(fstat) as (fd: number) => Promise<Stats>;
const closeFile = promisify(close);

/** Reads up to this size go through a pooled buffer and are copied out: the copy costs less than new memory. */
const SCRATCH_BYTES = 64 * 1024;
const SCRATCH_KEPT = 16;

/** Memory for short reads, which files of one thread should share: most are not read at the moment. */
export function scratchBuffers(): SpareBuffers {
  return new SpareBuffers(SCRATCH_BYTES, SCRATCH_KEPT);
}

/** In buffered mode the image's pages are dropped each time this much has been read (bytes). */
const DROP_EVERY = 4 * 1024 * 1024;

/**
 * An image file, read past the page cache: its pages there would double what the decoded files take. Uses
 * O_DIRECT; where the file system has none (EINVAL), it reads through the page cache and drops the pages again.
 * Libuv adds O_CLOEXEC to every open.
 */
export class FileSource implements ByteSource {
  #fd: number | undefined;
  #reads = 0;
  #idle: (() => void) | undefined;
  #sinceDrop = 0;

  private constructor(
    readonly label: string,
    readonly size: number,
    fd: number,
    /** Whether reads bypass the page cache; false where the file system refuses. */
    readonly direct: boolean,
    private readonly scratch: SpareBuffers,
  ) {
    this.#fd = fd;
  }

  /** Opens a regular file. Its size is taken once: images do not change while they are in use. `scratch`: see scratchBuffers. */
  static async open(path: string, label = path, scratch = scratchBuffers()): Promise<FileSource> {
    const direct = await openDirect(path);
    const fd = direct ?? (await openFile(path, constants.O_RDONLY));
    try {
      const stats = await statFile(fd);
      if (!stats.isFile()) {
        throw new ErofsUsageError({ image: label, field: 'image' }, 'EINVAL', 'is no regular file');
      }
      return new FileSource(label, stats.size, fd, direct !== undefined, scratch);
    } catch (error) {
      await closeFile(fd);
      throw error;
    }
  }

  async read(position: number, length: number, into?: Buffer): Promise<Buffer> {
    checkRange(this, position, length);
    if (length === 0) return Buffer.alloc(0);
    const fd = this.#fd;
    if (fd === undefined) throw new Error(`${this.label}: read after it was closed`);
    const skip = position % DIRECT_IO_ALIGNMENT;
    const span = Math.ceil((skip + length) / DIRECT_IO_ALIGNMENT) * DIRECT_IO_ALIGNMENT;
    const given = into !== undefined && into.length >= span ? into : undefined;
    const small = given === undefined && span <= SCRATCH_BYTES;
    const buffer = given ?? (small ? this.scratch.take() : rawAlignedBuffer(span));
    this.#reads++;
    try {
      await this.#fill(fd, buffer, position - skip, span, skip + length);
      if (!small) return buffer.subarray(skip, skip + length);
      const copy = Buffer.allocUnsafeSlow(length);
      buffer.copy(copy, 0, skip, skip + length);
      return copy;
    } finally {
      // Only once the system call is over: until then the kernel may still write to the buffer.
      if (small) this.scratch.giveBack(buffer);
      if (--this.#reads === 0) this.#idle?.();
    }
  }

  /** Waits for reads in flight, since their descriptor number could be given to another file. */
  async [Symbol.asyncDispose](): Promise<void> {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#fd = undefined;
    if (this.#reads > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
    if (!this.direct) dropCachedPages(fd);
    await closeFile(fd);
  }

  /** Reads `span` bytes from `start`, of which the file must have `needed`. */
  async #fill(fd: number, buffer: Buffer, start: number, span: number, needed: number): Promise<void> {
    let filled = 0;
    while (filled < needed) {
      const count = await readSome(fd, buffer, filled, span - filled, start + filled);
      filled += count;
      if (filled >= needed) break;
      // A direct read goes on at an aligned place only; anything else that is short is the end of the file.
      const aligned = filled - (filled % DIRECT_IO_ALIGNMENT);
      if (count === 0 || (this.direct && aligned !== filled)) {
        throw new ErofsCorruptError(
          { image: this.label, offset: start + filled, field: 'image' },
          `ends here, although it had ${this.size} bytes when it was opened`,
        );
      }
    }
    if (!this.direct) this.#countBuffered(fd, filled);
  }

  #countBuffered(fd: number, bytes: number): void {
    this.#sinceDrop += bytes;
    if (this.#sinceDrop < DROP_EVERY) return;
    this.#sinceDrop = 0;
    dropCachedPages(fd);
  }
}

/** A descriptor for direct reads, or undefined where the file system refuses the flag or a page-aligned read. */
async function openDirect(path: string): Promise<number | undefined> {
  let fd: number | undefined;
  try {
    fd = await openFile(path, constants.O_RDONLY | constants.O_DIRECT);
    await readSome(fd, rawAlignedBuffer(DIRECT_IO_ALIGNMENT), 0, DIRECT_IO_ALIGNMENT, 0);
    return fd;
  } catch (error) {
    if (fd !== undefined) await closeFile(fd);
    if (errorCode(error) === 'EINVAL') return undefined;
    throw error;
  }
}

function readSome(fd: number, buffer: Buffer, at: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, at, length, position, (error, count) => {
      if (error) reject(error);
      else resolve(count);
    });
  });
}
