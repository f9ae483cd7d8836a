import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Gate } from '../erofs/compression/gate';
import { openCachedPath } from '../linux/cached-path';
import type { Descriptor } from '../linux/descriptor';
import { errorCode } from '../linux/errno';
import type { FuseDevice } from '../fuse/device';
import type { BackingId, NodeId } from '../fuse/file-system';
import type { DedupInode } from './dedup-inode';
import type { LookupProcess } from './lookup-process';
import type { TakeoverJournal } from './takeover/journal';

/** Linux's O_PATH, which Node has no name for (asm-generic/fcntl.h). */
const O_PATH = 0o10000000;
/**
 * Calls on files of the ishare mount that this program has under way at once. Each holds a thread of libuv's pool until
 * this program has answered its LOOKUP or READ; the pool must keep threads for reading images, or nobody could answer.
 */
export const MAX_OWN_CALLS = 4;

/**
 * Registers dedup inodes as backing files of the images connection: once for each inode, since every open of an inode
 * must use the id of the same registration.
 */
export class BackingRegistry {
  readonly #imagesDevice: FuseDevice;
  readonly #ishareMount: Descriptor;
  readonly #gate: Gate;
  readonly #journal: TakeoverJournal;
  readonly #lookups: LookupProcess;
  #registered = 0;
  #pathDescriptors = true;

  /** @param gate shared with all that opens files of the ishare mount; see MAX_OWN_CALLS. */
  constructor(
    imagesDevice: FuseDevice,
    ishareMount: Descriptor,
    gate: Gate,
    journal: TakeoverJournal,
    lookups: LookupProcess,
  ) {
    this.#imagesDevice = imagesDevice;
    this.#ishareMount = ishareMount;
    this.#gate = gate;
    this.#journal = journal;
    this.#lookups = lookups;
  }

  /** An inode is known anew: an earlier process may have registered it, and files be open by that id. */
  adopt(inode: DedupInode): void {
    const id = this.#journal.backingOf(inode.node);
    if (id === undefined) return;
    inode.backingId = id;
    this.#registered += 1;
  }

  /** Gives ids of an earlier process back that no inode of `known` has. */
  releaseStrangers(known: (node: NodeId) => boolean): void {
    for (const { dedupNode, id } of [...this.#journal.backings()]) {
      if (known(dedupNode)) continue;
      this.#imagesDevice.closeBacking(id);
      this.#journal.unregistered(dedupNode);
    }
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
    this.#journal.unregistered(inode.node);
    inode.backingId = undefined;
    this.#registered -= 1;
  }

  async #register(inode: DedupInode): Promise<BackingId> {
    const path = `${inode.domain.token}/${inode.name}`;
    const id = (await this.#registerCached(path)) ?? (await this.#gate.run(() => this.#registerFile(path)));
    this.#journal.registered(inode.node, id);
    inode.backingId = id;
    this.#registered += 1;
    return id;
  }

  /** Without a request that this process would wait for: see LookupProcess. Undefined where that cannot be. */
  async #registerCached(path: string): Promise<BackingId | undefined> {
    if (!this.#pathDescriptors) return undefined;
    // Once more where the kernel has forgotten it meanwhile is enough: it is short of memory then.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      using file = openCachedPath(this.#ishareMount.number, path);
      if (file !== undefined) return this.#openBacking(file.number);
      if (!(await this.#lookups.ask(path))) return undefined;
    }
    return undefined;
  }

  /** An O_PATH descriptor costs the ishare mount no open file; before Linux 6.12 it must be an ordinary one. */
  async #registerFile(path: string): Promise<BackingId> {
    const whole = `/proc/self/fd/${this.#ishareMount.number}/${path}`;
    await using file = await open(whole, constants.O_RDONLY | (this.#pathDescriptors ? O_PATH : 0));
    return this.#openBacking(file.fd) ?? (await this.#registerFile(path));
  }

  /** Undefined where it is an O_PATH descriptor and must not be; then there will be none any more. */
  #openBacking(descriptor: number): BackingId | undefined {
    try {
      return this.#imagesDevice.openBacking(descriptor);
    } catch (error) {
      if (!this.#pathDescriptors || errorCode(error) !== 'EBADF') throw error;
      this.#pathDescriptors = false;
      return undefined;
    }
  }
}
