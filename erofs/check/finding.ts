import { ErofsCorruptError, ErofsError, type ErofsErrorSite } from '../errors';

/** One thing that is wrong with an image. */
export interface Finding {
  /** Where it is and what; an ErofsUnsupportedError where the image may be right, but cannot be judged. */
  readonly error: ErofsError;
  /** A path from the root that leads to the inode, where there is one. The end of it, where it is very long. */
  readonly path: Buffer | undefined;
}

/** A finding of the checker's own. */
export function finding(site: ErofsErrorSite, problem: string, path?: Buffer): Finding {
  return { error: new ErofsCorruptError(site, problem), path };
}

/** What the reader said, as a finding. Throws what is not about the image, such as an error of the disk. */
export function findingOf(error: unknown, path?: Buffer): Finding {
  if (!(error instanceof ErofsError)) throw error;
  return { error, path };
}
