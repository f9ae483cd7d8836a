import type { RecordedDigests } from '../layer-server';

/** An image file that is to be checked. */
export interface ImageCheckTask {
  readonly path: string;
  /** What it is compared with; without it, it is decoded whole. */
  readonly digests: RecordedDigests | undefined;
  /** Whether its fingerprints are believed: then a wrong one says that the file has changed. */
  readonly believed: boolean;
}

export interface ImageCheckResult {
  /** The first of what is wrong. */
  readonly problems: readonly string[];
  /** All that is wrong. */
  readonly count: number;
  /** The file is not what it was or should be. Else what is wrong cannot be judged, or was known to be wrong. */
  readonly damaged: boolean;
}

/** Bytes of the image file, or of its content. The total is 0 as long as it is not known. */
export interface ImageCheckProgress {
  readonly done: number;
  readonly total: number;
}

export type ImageCheckMessage =
  | { readonly kind: 'progress'; readonly progress: ImageCheckProgress }
  | { readonly kind: 'result'; readonly result: ImageCheckResult };
