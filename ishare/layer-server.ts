import type { ImageTrust, VerifiedFile } from './image-trust';

/** The group of images that a layer may share pages with. */
export interface Domain {
  readonly id: number;
  /** As configured; private. */
  readonly name: string;
  /** Public random name, fit for a path that containers see. */
  readonly token: string;
  /** 32 random bytes; private. */
  readonly secret: Buffer;
}

/** The digests of an image's blocks that were recorded when it was built. */
export interface RecordedDigests {
  readonly path: string;
  /** SHA-256 of the file at `path`, hexadecimal. */
  readonly root: string;
}

/** An image as one domain sees it: what a LayerServer makes reachable as a directory tree. */
export interface ImageAttachment {
  /** Never used again for another pair of image and domain, also not after a restart. */
  readonly attachmentId: number;
  /** Absolute path of the EROFS image. It stays in place until the attachment is detached. */
  readonly imagePath: string;
  /** For messages: the name of the committed snapshot. */
  readonly label: string;
  /** Undefined: the layer shares with nobody. */
  readonly domain: Domain | undefined;
  /** Undefined: none were recorded, or they are not to be checked. */
  readonly digests: RecordedDigests | undefined;
  /**
   * From 1 to 2^20 - 1: which range of the images mount's node ids is this attachment's. No other live attachment has
   * it; one that is gone may have had it.
   */
  readonly nodeRange: number;
  /** Inode numbers [inoBase, inoBase + inoCount) belong to this attachment: the inode `nid` shows as inoBase + nid. */
  readonly inoBase: number;
  /** Above every inode id (nid) of the image. */
  readonly inoCount: number;
}

/** The image of one committed layer. */
export interface LayerAttachment extends ImageAttachment {
  readonly trust: ImageTrust;
  /** Files of an unverified image that have been verified so far. */
  readonly verified: readonly VerifiedFile[];
}

/** The merged metadata of a chain of layers, in whose images the contents are. */
export interface MergedLayers extends ImageAttachment {
  /** Attachments of the layers in the same domain, topmost first, as they were when the image was built. */
  readonly layers: readonly number[];
}

/** Makes committed images reachable as directories that overlayfs can take as lower layers. */
export interface LayerServer {
  /**
   * Resolves to the absolute path of the directory where the layer's root is, once it answers. Idempotent: attaching
   * what is attached gives the same path. The path has no `:`, `,` or `\`, which overlayfs's options give a meaning.
   * Rejects when the image cannot be served; nothing stays behind then.
   */
  attach(layer: LayerAttachment): Promise<string>;

  /**
   * The same for merged layers, all of which are attached. Servers that cannot do it leave it out.
   */
  attachMerged?(merged: MergedLayers): Promise<string>;

  /**
   * Ends an attachment that no active snapshot uses any more. Mounts that were made from its directory may still
   * exist; the image file may be deleted once this has resolved. Merged layers go before the layers that they are made of.
   * Idempotent, also for ids that were never attached.
   */
  detach(attachmentId: number): Promise<void>;
}
