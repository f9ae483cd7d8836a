import { FuseError } from '../fuse/errors';
import { ROOT_NODE, type Attributes, type DirectoryItem, type Entry, type NodeId } from '../fuse/file-system';
import { domainNode } from './node-numbers';
import type { ServedImage } from './served-image';

const S_IFDIR = 0o040000;
const DT_DIR = 4;
const EPOCH = { seconds: 0, nanoseconds: 0 };

/** Public name of the directory of images that belong to no domain. */
export const NO_DOMAIN_TOKEN = 'unshared';

export function tokenOf(attachment: ServedImage): string {
  return attachment.layer.domain?.token ?? NO_DOMAIN_TOKEN;
}

/** The two upper levels of the images mount: the root with its domains, and a domain with its attachments. */
export class TopDirectories {
  readonly #attachments: ReadonlyMap<number, ServedImage>;

  constructor(attachments: ReadonlyMap<number, ServedImage>) {
    this.#attachments = attachments;
  }

  /**
   * A missing name is an error here, not a negative entry: attachments come and go, and the kernel must not remember
   * that one was missing.
   */
  lookup(parent: NodeId, name: string): Entry | { readonly attachment: ServedImage } {
    if (parent !== ROOT_NODE) {
      const attachment = this.#attachments.get(Number(name));
      if (attachment !== undefined && domainOf(attachment) === parent && String(attachment.id) === name) {
        return { attachment };
      }
    } else {
      for (const attachment of this.#attachments.values()) {
        if (tokenOf(attachment) === name) return directoryEntry(domainOf(attachment));
      }
    }
    throw new FuseError('ENOENT');
  }

  attributes(node: NodeId): Attributes {
    return directoryEntry(node).attributes;
  }

  items(node: NodeId): DirectoryItem[] {
    const names = new Map<string, NodeId>();
    for (const attachment of this.#attachments.values()) {
      if (node === ROOT_NODE) names.set(tokenOf(attachment), domainOf(attachment));
      else if (node === domainOf(attachment)) names.set(String(attachment.id), node);
    }
    // Without `entry`: the kernel looks these few names up by itself.
    return [...names].map(([name, ino], index) => ({
      name: Buffer.from(name),
      ino,
      type: DT_DIR,
      nextCookie: index + 1,
    }));
  }
}

export function domainOf(attachment: ServedImage): NodeId {
  return domainNode(attachment.layer.domain?.id ?? 0);
}

function directoryEntry(node: NodeId): Entry {
  // 0700: nobody but root passes here, whatever the modes above. overlayfs takes the modes of the layers, not these.
  const attributes = {
    ino: node,
    size: 0,
    mode: S_IFDIR | 0o700,
    nlink: 2,
    uid: 0,
    gid: 0,
    rdev: 0,
    time: EPOCH,
  };
  return { node, attributes };
}
