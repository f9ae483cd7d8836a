import type { Nid } from '../erofs/brands';
import type { ErofsImage, Inode } from '../erofs/image';
import { FuseError } from '../fuse/errors';
import type { Attachment } from './attachment';
import type { ImageNumbers, ImageTree } from './image-tree';
import type { ImageAttachment } from './layer-server';
import type { MissingXattrs } from './missing-xattrs';
import { imageNode, slotOf } from './node-numbers';

/** A regular file in the image that has its content. */
export interface FileContent {
  readonly attachment: Attachment;
  readonly inode: Inode;
}

/** An image as the images mount shows it: that of a layer, or the merged metadata of several. */
export interface ServedImage {
  readonly id: number;
  readonly layer: ImageAttachment;
  readonly image: ErofsImage;
  readonly tree: ImageTree;
  readonly missingXattrs: MissingXattrs;
  readonly detached: boolean;
  /** Where the content of one of its regular files is; `inode` itself or another one of the same size. */
  content(inode: Inode): FileContent | Promise<FileContent>;
  /** Keeps the image open, also when it is detached, until `letGo` was called as often. */
  hold(): void;
  letGo(): Promise<void>;
  /** Nothing new comes to it. It closes once nobody holds it. */
  detach(): Promise<void>;
}

/** The numbers by which the images mount knows the inodes of an image. */
export function numbersIn(layer: ImageAttachment): ImageNumbers {
  return {
    // Ranges of node ids come round again after a million attachments; ids never do.
    generation: layer.attachmentId,
    node: (nid: Nid) => {
      const slot = slotOf(nid);
      if (slot === undefined) {
        throw new FuseError('EOPNOTSUPP', `${layer.label}: nid ${nid} is too large`);
      }
      return imageNode(layer.nodeRange, slot);
    },
    // Apart for every attachment: on one superblock, equal numbers would make tar and rsync see hard links.
    inodeNumber: (nid: Nid) => layer.inoBase + (slotOf(nid) ?? 0),
  };
}
