import type { BackingId, NodeId } from '../fuse/file-system';
import type { Nid } from '../erofs/brands';
import type { Attachment } from './attachment';
import type { Fingerprint } from './fingerprint';

/** One EROFS inode that holds the bytes of a dedup inode. */
export interface Backing {
  readonly attachment: Attachment;
  readonly nid: Nid;
  /** Whether a process has opened the file through this inode since the image was attached. */
  opened: boolean;
}

/**
 * One content in one domain: the inode whose page cache every image of the domain shares. It lives in the ishare
 * mount under `<domain token>/<digest>`.
 */
export class DedupInode {
  /** EROFS inodes that can supply the bytes: in the order in which they came. */
  readonly backings: Backing[] = [];
  /** Files that are open through it. While there is one, `backingId` must stay what it is. */
  openFiles = 0;
  /** The images connection's number for this inode's file, once something has opened it. */
  backingId: BackingId | undefined;
  /** Set while the first open is under way, so that a second one waits instead of registering twice. */
  registering: Promise<BackingId> | undefined;

  constructor(
    readonly node: NodeId,
    readonly domain: DedupDomain,
    readonly fingerprint: Fingerprint,
    /** Bytes. */
    readonly size: number,
  ) {}

  /** Nobody has it open and no attached image holds it. */
  get unused(): boolean {
    return this.openFiles === 0 && this.backings.length === 0;
  }
}

/** The dedup inodes of one domain. */
export interface DedupDomain {
  readonly id: number;
  readonly name: string;
  /** Public name of the domain's directory in both mounts. */
  readonly token: string;
  /** The domain_id of the key. Never shown. */
  readonly secret: Buffer;
  readonly inodes: Map<Fingerprint, DedupInode>;
}
