/**
 * The tree of one layer, reduced to what the page cache of its files depends on. Names have one character for each byte
 * (latin1).
 */
export interface LayerDirectory {
  readonly kind: 'directory';
  /** What the layers below have in it is hidden. */
  readonly opaque: boolean;
  readonly entries: ReadonlyMap<string, LayerNode>;
}

/** A regular file with content. One that has several names in its layer is one object: an inode. */
export interface LayerFile {
  readonly kind: 'file';
  /** Bytes, at least 1. */
  readonly size: number;
  /** SHA-256 of the content, in hexadecimal. */
  readonly digest: string;
}

/** What has no pages and hides what the layers below have under its name: whiteouts, links, devices, empty files. */
export interface BareNode {
  readonly kind: 'bare';
}

export type LayerNode = LayerDirectory | LayerFile | BareNode;

export const BARE_NODE: BareNode = { kind: 'bare' };

/** How many files of an EROFS image would not be shared as the image is. */
export interface FingerprintFaults {
  readonly files: number;
  /** Files without a fingerprint. */
  readonly missing: number;
  /** Files whose fingerprint is not that of their content; unknown, so 0, where fingerprints are trusted. */
  readonly wrong: number;
}

/** A layer as the host has it: one of these for each chain id, whichever images have it. */
export interface Layer {
  readonly root: LayerDirectory;
  /** Only EROFS images bring fingerprints; those of tars are made when they become images. */
  readonly faults?: FingerprintFaults | undefined;
}
