import { closeSync, fstatSync, openSync } from 'node:fs';
import koffi from 'koffi';
import { SystemCallError } from './errno';
import { check, lastErrno, native } from './libc';

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 2n ** 64n - 1n;

/**
 * A file as memory. What is written to `bytes` is in the page cache at once: it outlives this process however that ends,
 * though not the machine. Once disposed of, `bytes` must not be touched any more: its memory is gone.
 */
export class MappedFile implements Disposable {
  readonly bytes: Buffer;
  #address: number | bigint | undefined;

  private constructor(address: number | bigint, length: number) {
    this.#address = address;
    this.bytes = Buffer.from(koffi.view(address, length));
  }

  /** Maps a whole file, which must not be empty nor become shorter. */
  static open(path: string): MappedFile {
    const fd = openSync(path, 'r+');
    try {
      const { size } = fstatSync(fd);
      const address = native.mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (address === MAP_FAILED) throw new SystemCallError('mmap', lastErrno(), path);
      return new MappedFile(address, size);
    } finally {
      closeSync(fd);
    }
  }

  [Symbol.dispose](): void {
    if (this.#address === undefined) return;
    const address = this.#address;
    this.#address = undefined;
    check(native.munmap(address, this.bytes.length), 'munmap', `${this.bytes.length} bytes`);
  }
}
