import type { Nid } from '../erofs/brands';
import type { NodeId } from '../fuse/file-system';
import type { Attachment } from './attachment';
import { DedupInode, type Backing, type DedupDomain } from './dedup-inode';
import type { Fingerprint } from './fingerprint';
import type { Domain } from './layer-server';
import { dedupNode } from './node-numbers';

/** Why a file is not shared all the same. */
export type Refusal = 'size differs' | 'node number taken';

/** A dedup inode, and the backing inode that an image adds to it. */
export interface Reference {
  readonly inode: DedupInode;
  readonly backing: Backing;
}

export interface DedupTableEvents {
  /** An inode has come into the table: it may have a backing id from an earlier process. */
  made(inode: DedupInode): void;
  /** An inode leaves the table: its backing id is to be given back. */
  unused(inode: DedupInode): void;
}

/**
 * All dedup inodes. The key is the fingerprint and the domain_id, as in the kernel's own table: within a domain the
 * fingerprint decides, and no inode belongs to two domains.
 */
export class DedupTable {
  readonly #domains = new Map<number, DedupDomain>();
  readonly #byNode = new Map<NodeId, DedupInode>();
  readonly #events: DedupTableEvents;

  constructor(events: DedupTableEvents) {
    this.#events = events;
  }

  /**
   * Takes a reference: the inode that holds these bytes for all images of the domain, made where it is new, with
   * (attachment, nid) in its backing list. The caller vouches for the fingerprint.
   */
  reference(
    domain: Domain,
    fingerprint: Fingerprint,
    size: number,
    attachment: Attachment,
    nid: Nid,
  ): Reference | Refusal {
    const group = this.#group(domain);
    const known = group.inodes.get(fingerprint);
    if (known !== undefined && known.size !== size) return 'size differs';
    const inode = known ?? this.#make(group, fingerprint, fingerprint, size);
    return inode === undefined ? 'node number taken' : addBacking(inode, attachment, nid);
  }

  /** Takes the reference to an inode that belongs to this file of this image alone. */
  referenceOwn(
    domain: Domain,
    size: number,
    attachment: Attachment,
    nid: Nid,
  ): Reference | 'node number taken' {
    const inode = this.#make(this.#group(domain), ownName(attachment, nid), undefined, size);
    return inode === undefined ? 'node number taken' : addBacking(inode, attachment, nid);
  }

  /** Drops a reference. */
  release({ inode, backing }: Reference): void {
    inode.removeBacking(backing);
    this.retireIfUnused(inode);
  }

  /** Call after a file was closed: an inode without images may have been waiting for that. */
  retireIfUnused(inode: DedupInode): void {
    if (!inode.unused || this.#byNode.get(inode.node) !== inode) return;
    this.#byNode.delete(inode.node);
    inode.domain.inodes.delete(inode.name);
    if (inode.domain.inodes.size === 0) this.#domains.delete(inode.domain.id);
    this.#events.unused(inode);
  }

  byNode(node: NodeId): DedupInode | undefined {
    return this.#byNode.get(node);
  }

  /** `name` is a file name in the ishare mount: any string may come. */
  byName(domain: DedupDomain, name: string): DedupInode | undefined {
    return domain.inodes.get(name);
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

  #make(
    group: DedupDomain,
    name: string,
    fingerprint: Fingerprint | undefined,
    size: number,
  ): DedupInode | undefined {
    const node = dedupNode(group.secret, name);
    if (this.#byNode.has(node)) return undefined;
    const inode = new DedupInode(node, group, name, fingerprint, size);
    group.inodes.set(name, inode);
    this.#byNode.set(node, inode);
    this.#events.made(inode);
    return inode;
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

function addBacking(inode: DedupInode, attachment: Attachment, nid: Nid): Reference {
  const backing: Backing = { attachment, nid, openedIn: undefined, openFiles: 0, distrusted: false };
  inode.addBacking(backing);
  return { inode, backing };
}

/** No digest looks like it. Attachment ids are never used again, so neither is the name. */
function ownName(attachment: Attachment, nid: Nid): string {
  return `own-${attachment.id}-${nid}`;
}
