import type { Attachment } from './attachment';
import type { DedupTable } from './dedup-table';

export interface AttachedImage {
  readonly attachmentId: number;
  /** Name of the committed snapshot. */
  readonly label: string;
  readonly imagePath: string;
  /** Undefined: in no domain. */
  readonly domain: string | undefined;
  readonly inodes: number;
  /** Bytes of the image. */
  readonly bytes: number;
  /** Its files that have a dedup inode. */
  readonly sharedFiles: number;
}

export interface DedupInodeState {
  readonly domain: string;
  /** Directory of the domain in the ishare mount; public. */
  readonly token: string;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  /** Attached images that hold the content. */
  readonly images: readonly string[];
  /** Inodes of attached images through which it was opened: each would have cached pages of its own. */
  readonly openedInodes: number;
  readonly openFiles: number;
}

export interface Inventory {
  readonly images: readonly AttachedImage[];
  readonly inodes: readonly DedupInodeState[];
}

export function takeInventory(attachments: readonly Attachment[], table: DedupTable): Inventory {
  return {
    images: attachments.map(({ id, layer, image, sharedFiles }) => ({
      attachmentId: id,
      label: layer.label,
      imagePath: layer.imagePath,
      domain: layer.domain?.name,
      inodes: image.superblock.inodes,
      bytes: image.superblock.blocks * image.superblock.blockSize,
      sharedFiles,
    })),
    inodes: [...table.inodes()].map((inode) => ({
      domain: inode.domain.name,
      token: inode.domain.token,
      digest: inode.fingerprint,
      size: inode.size,
      images: [...new Set(inode.backings.map(({ attachment }) => attachment.layer.label))],
      openedInodes: inode.backings.filter(({ opened }) => opened).length,
      openFiles: inode.openFiles,
    })),
  };
}
