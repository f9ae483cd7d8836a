import { open, type FileHandle } from 'node:fs/promises';
import type { Gate } from '../erofs/compression/gate';
import type { Descriptor } from '../linux/descriptor';
import type { DedupInode } from './dedup-inode';

/**
 * Reads dedup inodes as any program would, through the ishare mount: what was read stays in their page cache. Reading
 * waits for this same thread to answer, on a thread of libuv's pool, so the gate lets few through at a time.
 */
export class DedupReader implements AsyncDisposable {
  readonly #ishareMount: Descriptor;
  readonly #gate: Gate;
  readonly #files = new Map<DedupInode, Promise<FileHandle>>();

  /** @param gate shared with all that opens files of the ishare mount; see MAX_OWN_CALLS. */
  constructor(ishareMount: Descriptor, gate: Gate) {
    this.#ishareMount = ishareMount;
    this.#gate = gate;
  }

  /** Up to `length` bytes from `offset`, fewer where the file ends before. */
  read(inode: DedupInode, offset: number, length: number): Promise<Buffer> {
    return this.#gate.run(async () => {
      const file = await this.#file(inode);
      const buffer = Buffer.allocUnsafeSlow(length);
      const { bytesRead } = await file.read(buffer, 0, length, offset);
      return buffer.subarray(0, bytesRead);
    });
  }

  /** Closes its file: nothing has the inode open any more. Reads under way end first. */
  async forget(inode: DedupInode): Promise<void> {
    const file = this.#files.get(inode);
    if (file === undefined) return;
    this.#files.delete(inode);
    await (await file).close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#files.keys(), (inode) => this.forget(inode)));
  }

  #file(inode: DedupInode): Promise<FileHandle> {
    const known = this.#files.get(inode);
    if (known !== undefined) return known;
    const file = open(`/proc/self/fd/${this.#ishareMount.number}/${inode.domain.token}/${inode.name}`, 'r');
    this.#files.set(inode, file);
    file.catch(() => this.#files.delete(inode));
    return file;
  }
}
