import type { Nid } from '../erofs/brands';
import type { NodeId } from '../fuse/file-system';
import type { Attachment } from './attachment';
import { DedupInode, type Backing, type DedupDomain, type DedupFacts } from './dedup-inode';
import { DormantInodes } from './dormant-inodes';
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
  /** An inode is asked for: it may have a backing id from an earlier process. */
  made(inode: DedupInode): void;
  /** An inode that was made leaves the table: its backing id is to be given back. */
  unused(inode: DedupInode): void;
}

/**
 * All dedup inodes. The key is the fingerprint and the domain_id, as in the kernel's own table: within a domain the
 * fingerprint decides, and no inode belongs to two domains. An inode is dormant until it is asked for.
 */
export class DedupTable {
  readonly #domains = new Map<number, DedupDomain>();
  readonly #dormant = new DormantInodes();
  /** The others. */
  readonly #awake = new Map<NodeId, DedupInode>();
  /** Those that have backing inodes here, by their ids. */
  readonly #attachments = new Map<number, Attachment>();
  readonly #events: DedupTableEvents;

  constructor(events: DedupTableEvents) {
    this.#events = events;
  }

  /**
   * Takes a reference: the node of the inode that holds these bytes for all images of the domain, which is made where it is
   * new, with (attachment, nid) in its backing list. The caller vouches for the fingerprint.
   */
  note(
    domain: Domain,
    fingerprint: Fingerprint,
    size: number,
    attachment: Attachment,
    nid: Nid,
  ): NodeId | Refusal {
    const node = dedupNode(domain.secret, fingerprint);
    const known = this.#awake.get(node) ?? this.#dormant.get(node);
    if (known !== undefined) {
      const domainId = known instanceof DedupInode ? known.domain.id : known.domainId;
      if (domainId !== domain.id || known.fingerprint !== fingerprint) return 'node number taken';
      if (known.size !== size) return 'size differs';
    } else {
      this.#dormant.add(node, { domainId: domain.id, fingerprint, size });
      this.#group(domain).inodes += 1;
    }
    this.#attachments.set(attachment.id, attachment);
    if (known instanceof DedupInode) known.addBacking(newBacking(attachment, nid));
    else this.#dormant.addBacking(node, { attachmentId: attachment.id, nid });
    return node;
  }

  /** A reference that was noted. */
  reference(node: NodeId, attachment: Attachment, nid: Nid): Reference | undefined {
    const inode = this.byNode(node);
    const backing = inode && backingIn(inode, attachment, nid);
    return backing && { inode, backing };
  }

  /** Takes the reference to an inode that belongs to this file of this image alone. */
  referenceOwn(
    domain: Domain,
    size: number,
    attachment: Attachment,
    nid: Nid,
  ): Reference | 'node number taken' {
    const name = ownName(attachment, nid);
    const node = dedupNode(domain.secret, name);
    if (this.#awake.has(node) || this.#dormant.has(node)) return 'node number taken';
    const group = this.#group(domain);
    group.inodes += 1;
    const backing = newBacking(attachment, nid);
    const inode = new DedupInode(node, group, name, undefined, size);
    inode.addBacking(backing);
    this.#awaken(inode);
    return { inode, backing };
  }

  /** Drops a reference. */
  release(node: NodeId, attachment: Attachment, nid: Nid): void {
    const inode = this.#awake.get(node);
    if (inode !== undefined) {
      const backing = backingIn(inode, attachment, nid);
      if (backing !== undefined) inode.removeBacking(backing);
      this.retireIfUnused(inode);
      return;
    }
    const domainId = this.#dormant.get(node)?.domainId;
    if (domainId === undefined) return;
    if (this.#dormant.removeBacking(node, { attachmentId: attachment.id, nid })) this.#left(domainId);
  }

  /** The attachment has dropped all its references. */
  forget(attachment: Attachment): void {
    this.#attachments.delete(attachment.id);
  }

  /** Call after a file was closed: an inode without images may have been waiting for that. */
  retireIfUnused(inode: DedupInode): void {
    if (!inode.unused || this.#awake.get(inode.node) !== inode) return;
    this.#awake.delete(inode.node);
    this.#left(inode.domain.id);
    this.#events.unused(inode);
  }

  /** The inode, to do something with it: it stays awake until it leaves the table. */
  byNode(node: NodeId): DedupInode | undefined {
    const awake = this.#awake.get(node);
    const facts = awake ?? this.facts(node);
    if (facts === undefined || facts instanceof DedupInode) return facts;
    const { domain, name, fingerprint, size } = facts;
    const inode = new DedupInode(node, domain, name, fingerprint, size);
    for (const { attachment, nid } of facts.backings) inode.addBacking(newBacking(attachment, nid));
    this.#dormant.remove(node);
    this.#awaken(inode);
    return inode;
  }

  /** What there is to know of an inode, which is left as it is. */
  facts(node: NodeId): DedupFacts | undefined {
    return this.#awake.get(node) ?? this.#dormantFacts(node);
  }

  /** The same; `name` is a file name in the ishare mount: any string may come. */
  byName(domain: DedupDomain, name: string): DedupFacts | undefined {
    const facts = this.facts(dedupNode(domain.secret, name));
    return facts?.domain === domain && facts.name === name ? facts : undefined;
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

  /** Of all inodes there are now. */
  nodes(): NodeId[] {
    return [...this.#awake.keys(), ...this.#dormant.nodes()];
  }

  *inodes(): Generator<DedupFacts> {
    for (const node of this.nodes()) {
      const facts = this.facts(node);
      if (facts !== undefined) yield facts;
    }
  }

  #dormantFacts(node: NodeId): DedupFacts | undefined {
    const dormant = this.#dormant.get(node);
    const domain = dormant && this.#domains.get(dormant.domainId);
    if (dormant === undefined || domain === undefined) return undefined;
    const now = (): DedupInode | undefined => this.#awake.get(node);
    const backings = (): Backing[] => this.#dormantBackings(node);
    const { fingerprint, size } = dormant;
    return {
      node,
      domain,
      name: fingerprint,
      fingerprint,
      size,
      // It may have been asked for, or have gone, by the time that somebody looks.
      get backings() {
        return now()?.backings ?? backings();
      },
      get openFiles() {
        return now()?.openFiles ?? 0;
      },
      users: (cachedBytes) => now()?.users(cachedBytes) ?? [],
    };
  }

  #dormantBackings(node: NodeId): Backing[] {
    if (!this.#dormant.has(node)) return [];
    return this.#dormant.backings(node).flatMap(({ attachmentId, nid }) => {
      const attachment = this.#attachments.get(attachmentId);
      return attachment === undefined ? [] : [newBacking(attachment, nid)];
    });
  }

  #awaken(inode: DedupInode): void {
    this.#awake.set(inode.node, inode);
    this.#events.made(inode);
  }

  #group({ id, name, token, secret }: Domain): DedupDomain {
    const known = this.#domains.get(id);
    if (known !== undefined) return known;
    const group = { id, name, token, secret, inodes: 0 };
    this.#domains.set(id, group);
    return group;
  }

  /** An inode of this domain has left. */
  #left(domainId: number): void {
    const domain = this.#domains.get(domainId);
    if (domain === undefined) return;
    domain.inodes -= 1;
    if (domain.inodes === 0) this.#domains.delete(domainId);
  }
}

function newBacking(attachment: Attachment, nid: Nid): Backing {
  return { attachment, nid, openedIn: undefined, openFiles: 0, distrusted: false };
}

/** Whoever asks has mostly come last. */
function backingIn({ backings }: DedupInode, attachment: Attachment, nid: Nid): Backing | undefined {
  return backings.findLast((backing) => backing.nid === nid && backing.attachment === attachment);
}

/** No digest looks like it. Attachment ids are never used again, so neither is the name. */
function ownName(attachment: Attachment, nid: Nid): string {
  return `own-${attachment.id}-${nid}`;
}
