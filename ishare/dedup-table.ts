import type { Nid } from '../erofs/brands';
import type { NodeId } from '../fuse/file-system';
import type { Attachment } from './attachment';
import { DedupInode, type Backing, type DedupDomain } from './dedup-inode';
import type { Fingerprint } from './fingerprint';
import type { Domain } from './layer-server';
import { dedupNode } from './node-numbers';

/** Why a file with a fingerprint is not shared all the same. */
export type Refusal = 'size differs' | 'node number taken';

/**
 * All dedup inodes. The key is the fingerprint and the domain_id, as in the kernel's own table: within a domain the
 * fingerprint decides, and no inode belongs to two domains.
 */
export class DedupTable {
  readonly #domains = new Map<number, DedupDomain>();
  readonly #byNode = new Map<NodeId, DedupInode>();
  readonly #onUnused: (inode: DedupInode) => void;

  /** `onUnused` is told of each inode that leaves the table, to give its backing id back. */
  constructor(onUnused: (inode: DedupInode) => void) {
    this.#onUnused = onUnused;
  }

  /**
   * Takes a reference: the inode that holds these bytes for all images of the domain, made where it is new, with
   * (attachment, nid) in its backing list.
   */
  reference(
    domain: Domain,
    fingerprint: Fingerprint,
    size: number,
    attachment: Attachment,
    nid: Nid,
  ): { readonly inode: DedupInode; readonly backing: Backing } | Refusal {
    const group = this.#group(domain);
    let inode = group.inodes.get(fingerprint);
    if (inode === undefined) {
      const node = dedupNode(domain.secret, fingerprint);
      if (this.#byNode.has(node)) return 'node number taken';
      inode = new DedupInode(node, group, fingerprint, size);
      group.inodes.set(fingerprint, inode);
      this.#byNode.set(node, inode);
    } else if (inode.size !== size) {
      return 'size differs';
    }
    const backing: Backing = { attachment, nid, opened: false };
    inode.backings.push(backing);
    return { inode, backing };
  }

  /** Drops a reference. */
  release(inode: DedupInode, backing: Backing): void {
    const index = inode.backings.indexOf(backing);
    if (index >= 0) inode.backings.splice(index, 1);
    this.retireIfUnused(inode);
  }

  /** Call after a file was closed: an inode without images may have been waiting for that. */
  retireIfUnused(inode: DedupInode): void {
    if (!inode.unused || this.#byNode.get(inode.node) !== inode) return;
    this.#byNode.delete(inode.node);
    inode.domain.inodes.delete(inode.fingerprint);
    if (inode.domain.inodes.size === 0) this.#domains.delete(inode.domain.id);
    this.#onUnused(inode);
  }

  byNode(node: NodeId): DedupInode | undefined {
    return this.#byNode.get(node);
  }

  /** `name` is a file name in the ishare mount: any string may come. */
  byName(domain: DedupDomain, name: string): DedupInode | undefined {
    return domain.inodes.get(name as Fingerprint);
  }

  domainByToken(token: string): DedupDomain | undefined {
    for (const domain of this.#domains.values()) if (domain.token === token) return domain;
    return undefined;
  }

  domainById(id: number): DedupDomain | undefined {
    return this.#domains.get(id);
  }

  domains(): IterableIterator<DedupDomain> {
    return this.#domains.values();
  }

  inodes(): IterableIterator<DedupInode> {
    return this.#byNode.values();
  }

  #group(domain: Domain): DedupDomain {
    let group = this.#domains.get(domain.id);
    if (group === undefined) {
      const { id, name, token, secret } = domain;
      group = { id, name, token, secret, inodes: new Map() };
      this.#domains.set(id, group);
    }
    return group;
  }
}
