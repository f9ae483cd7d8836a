import type { Nid } from '../erofs/brands';
import type { Attachment } from './attachment';
import type { DedupFacts } from './dedup-inode';
import type { ImageTrust } from './image-trust';
import type { DedupFile } from './worker/page-cache-task';

export interface AttachedImage {
  readonly attachmentId: number;
  /** Name of the committed snapshot. */
  readonly label: string;
  readonly imagePath: string;
  /** Undefined: in no domain. */
  readonly domain: string | undefined;
  readonly trust: ImageTrust;
  readonly inodes: number;
  /** Bytes of the image. */
  readonly bytes: number;
  /** Its files that have a shared dedup inode. */
  readonly sharedFiles: number;
}

export interface DedupInodeState {
  readonly domain: string;
  /** Where it is in the ishare mount: the token of its domain, and its name there. */
  readonly path: string;
  /** SHA-256, hexadecimal. Undefined: it belongs to one file of one image. */
  readonly digest: string | undefined;
  /** Bytes. */
  readonly size: number;
  /** Attachments whose images hold the content and are believed, each once. */
  readonly holders: readonly number[];
  readonly openFiles: number;
}

/** A dedup inode with what the kernel's page cache holds of it. */
export interface MeasuredInode extends DedupInodeState {
  /** Bytes in the page cache, as the kernel counts pages. */
  readonly cachedBytes: number;
  /**
   * Attachments through which it was opened since its pages came in, once for each of their inodes that were: each inode
   * would have pages of its own, were they not shared.
   */
  readonly users: readonly number[];
}

export interface Measurement {
  readonly images: readonly AttachedImage[];
  readonly inodes: readonly MeasuredInode[];
}

/** A file of an image with its shared dedup inode. */
export interface FileOfImage extends DedupFile {
  readonly nid: Nid;
}

/** How one file of an attached image is served. */
export interface ServedFile {
  readonly trust: ImageTrust;
  /** What the image gives as the file's fingerprint, hexadecimal, be it one or not; undefined: nothing. */
  readonly claim: string | undefined;
  /** Undefined: served image by image, or not opened since the image was attached. */
  readonly inode: MeasuredInode | undefined;
}

export function attachedImage({ id, layer, image, trust, sharedFiles }: Attachment): AttachedImage {
  return {
    attachmentId: id,
    label: layer.label,
    imagePath: layer.imagePath,
    domain: layer.domain?.name,
    trust,
    inodes: image.superblock.inodes,
    bytes: image.superblock.blocks * image.superblock.blockSize,
    sharedFiles,
  };
}

export function dedupFile({ domain, name, size }: DedupFacts): DedupFile {
  return { path: `${domain.token}/${name}`, size };
}

/** @param cachedBytes what the kernel holds of it now. */
export function measuredInode(inode: DedupFacts, cachedBytes: number): MeasuredInode {
  const believed = inode.backings.filter(({ distrusted }) => !distrusted);
  return {
    domain: inode.domain.name,
    path: dedupFile(inode).path,
    digest: inode.fingerprint,
    size: inode.size,
    holders: [...new Set(believed.map(({ attachment }) => attachment.id))],
    openFiles: inode.openFiles,
    cachedBytes,
    users: inode.users(cachedBytes).map(({ attachment }) => attachment.id),
  };
}
