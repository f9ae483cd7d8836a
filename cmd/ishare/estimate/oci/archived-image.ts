import type { Platform } from './platform';

/** A layer of an image in an archive. */
export interface ArchivedLayer {
  /** Path of its blob in the archive. */
  readonly path: string;
  /** Of the blob as it is; undefined in archives of Docker before version 25. */
  readonly digest: string | undefined;
  /** Bytes of the blob. */
  readonly size: number;
  readonly form: 'tar' | 'erofs';
  /** Of what the blob unpacks to. */
  readonly diffId: string;
  readonly chainId: string;
}

export interface ArchivedImage {
  /** As the archive calls it, where it does. */
  readonly name: string | undefined;
  readonly platform: Platform | undefined;
  /** The lowest first. */
  readonly layers: readonly ArchivedLayer[];
}

/** Which image of an archive is meant. */
export interface ImageChoice {
  /** Undefined: the only one. */
  readonly name: string | undefined;
  /** Undefined: the only one, else this machine's. */
  readonly platform: Platform | undefined;
}
