import type { ImageSource, LayerTar } from '../erofs/build';

/** What is known of an image once it is built. */
export interface BuiltImage {
  /** Length of the file in bytes. */
  readonly bytes: number;
  readonly inodes: number;
  /** Above every inode id (nid) of the image. */
  readonly nidLimit: number;
  /** SHA-256 of the table of block digests, hexadecimal, where one was asked for. */
  readonly digestsRoot?: string | undefined;
  /** The tar that it was built from, where that came as a layer's blob. */
  readonly tar?: LayerTar | undefined;
}

/** How far the making of an image is; totals are 0 as long as they are not known. */
export interface LayerImageProgress {
  /** The blob of a layer is read first. */
  readonly stage: 'reading' | 'writing';
  readonly inodes: number;
  readonly totalInodes: number;
  /** Bytes of the blob, then of file content. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/**
 * Builds the image of a layer: `ImageBuilder` of erofs/ in the daemon. The image and its directory entry are
 * on disk when it resolves; nothing is left at `target` and `digests` when it rejects.
 */
export interface LayerImageBuilder {
  /** Whether what is given to it now is begun at once, and costs no further thread. */
  readonly resting?: boolean;
  build(request: {
    readonly source: ImageSource;
    readonly target: string;
    /** Where the digests of the image's blocks go. */
    readonly digests: string;
    readonly signal?: AbortSignal;
    /** It was this image's turn. */
    readonly onStart?: () => void;
    readonly onProgress?: (progress: LayerImageProgress) => void;
  }): Promise<BuiltImage>;
}

/** Owner and permission bits (without the file type) of an image's root directory. */
export interface LayerRoot {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Reads the root inode of a committed image. */
export type ReadLayerRoot = (imagePath: string) => Promise<LayerRoot>;
