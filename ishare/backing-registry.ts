import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Descriptor } from '../linux/descriptor';
import { errorCode } from '../linux/errno';
import type { FuseDevice } from '../fuse/device';
import type { BackingId } from '../fuse/file-system';
import type { DedupInode } from './dedup-inode';

/** Linux's O_PATH, which Node has no name for (asm-generic/fcntl.h). */
const O_PATH = 0o10000000;
/**
 * Opens on the ishare mount under way at once. Each holds a thread of libuv's pool until this program has answered
 * its LOOKUP; the pool must keep threads for reading /dev/fuse and images, or nobody could answer.
 */
const MAX_OPENS = 4;

/**
 * Registers dedup inodes as backing files of the images connection: once for each inode, since every open of an inode
 * must use the id of the same registration.
 */
export class BackingRegistry {
  readonly #imagesDevice: FuseDevice;
  readonly #ishareMount: Descriptor;
  readonly #waiting: (() => void)[] = [];
  #opens = 0;
  #registered = 0;
  #pathDescriptors = true;

  constructor(imagesDevice: FuseDevice, ishareMount: Descriptor) {
    this.#imagesDevice = imagesDevice;
    this.#ishareMount = ishareMount;
  }

  /** Backing ids that are registered. */
  get registered(): number {
    return this.#registered;
  }

  backingId(inode: DedupInode): BackingId | Promise<BackingId> {
    if (inode.backingId !== undefined) return inode.backingId;
    inode.registering ??= this.#register(inode).finally(() => (inode.registering = undefined));
    return inode.registering;
  }

  /** Gives the id of an inode back that nobody uses any more. */
  release(inode: DedupInode): void {
    if (inode.backingId === undefined) return;
    this.#imagesDevice.closeBacking(inode.backingId);
    inode.backingId = undefined;
    this.#registered -= 1;
  }

  async #register(inode: DedupInode): Promise<BackingId> {
    await this.#enter();
    try {
      const path = `/proc/self/fd/${this.#ishareMount.number}/${inode.domain.token}/${inode.fingerprint}`;
      inode.backingId = await this.#registerFile(path);
      this.#registered += 1;
      return inode.backingId;
    } finally {
      this.#leave();
    }
  }

  /** An O_PATH descriptor costs the ishare mount no open file; before Linux 6.12 it must be an ordinary one. */
  async #registerFile(path: string): Promise<BackingId> {
    await using file = await open(path, constants.O_RDONLY | (this.#pathDescriptors ? O_PATH : 0));
    try {
      return this.#imagesDevice.openBacking(file.fd);
    } catch (error) {
      if (!this.#pathDescriptors || errorCode(error) !== 'EBADF') throw error;
      this.#pathDescriptors = false;
    }
    return await this.#registerFile(path);
  }

  async #enter(): Promise<void> {
    if (this.#opens >= MAX_OPENS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#opens += 1;
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#opens -= 1;
    else next();
  }
}
