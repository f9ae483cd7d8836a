import type { Nid } from './brands';

/** Where in an image something is wrong. */
export interface ErofsErrorSite {
  /** Label of the image, usually its path. */
  readonly image: string;
  /** Inode that was being read; undefined for the superblock and other tables of the whole image. */
  readonly nid?: Nid | undefined;
  /** Byte offset, where one is known: in the image, or in the inode's own data if `inData` is set. */
  readonly offset?: number | undefined;
  readonly inData?: boolean | undefined;
  /** Name of the on-disk field or structure, as the tables in format/ spell it. */
  readonly field: string;
}

/** The errno that a file system call gets for each kind of error. */
export type ErofsErrno = 'EUCLEAN' | 'EIO' | 'EOPNOTSUPP' | 'EINVAL' | 'ENOTDIR' | 'EISDIR';

/** Base of what this room throws about an image. `code` is the errno name to answer a file system request with. */
export abstract class ErofsError extends Error {
  abstract readonly code: ErofsErrno;
  readonly image: string;
  readonly nid: Nid | undefined;
  readonly offset: number | undefined;
  /** `offset` counts in the inode's data, not in the image. */
  readonly inData: boolean;
  readonly field: string;

  constructor(
    site: ErofsErrorSite,
    /** What is wrong there, without the place. */
    readonly problem: string,
    options?: ErrorOptions,
  ) {
    const inode = site.nid === undefined ? '' : `, inode ${site.nid}`;
    const place =
      site.offset === undefined ? '' : `, byte ${site.offset}${site.inData === true ? ' of its data' : ''}`;
    super(`${site.image}${inode}${place}, ${site.field}: ${problem}`, options);
    this.image = site.image;
    this.nid = site.nid;
    this.offset = site.offset;
    this.inData = site.inData === true;
    this.field = site.field;
  }
}

/** The image contradicts the format or itself, or ends too early. Linux answers EFSCORRUPTED, which is EUCLEAN. */
export class ErofsCorruptError extends ErofsError {
  override readonly name: string = 'ErofsCorruptError';
  readonly code: 'EUCLEAN' | 'EIO' = 'EUCLEAN';
}

/**
 * The image file or its digest table is not what was recorded when the image was built: somebody has changed it, or the
 * disk has. EIO, as dm-verity answers.
 */
export class ErofsDigestError extends ErofsCorruptError {
  override readonly name = 'ErofsDigestError';
  override readonly code = 'EIO';
  /** SHA-256 that was recorded, hexadecimal; undefined where a length tells that something is wrong. */
  readonly expected: string | undefined;
  /** SHA-256 of what is there, where it was computed. */
  readonly actual: string | undefined;

  constructor(
    site: ErofsErrorSite,
    problem: string,
    digests: { readonly expected?: string | undefined; readonly actual?: string | undefined } = {},
  ) {
    super(site, problem);
    this.expected = digests.expected;
    this.actual = digests.actual;
  }
}

/** The image may be right, but uses something that this reader does not know. */
export class ErofsUnsupportedError extends ErofsError {
  override readonly name = 'ErofsUnsupportedError';
  readonly code = 'EOPNOTSUPP';
}

/** The caller asked for what this inode cannot give, such as a lookup in a regular file. */
export class ErofsUsageError extends ErofsError {
  override readonly name = 'ErofsUsageError';

  constructor(
    site: ErofsErrorSite,
    readonly code: 'EINVAL' | 'ENOTDIR' | 'EISDIR',
    problem: string,
  ) {
    super(site, problem);
  }
}

/** A path that leads nowhere in an image that may well be sound. `code` is the errno that open(2) would give. */
export class ErofsPathError extends Error {
  override readonly name = 'ErofsPathError';

  constructor(
    readonly image: string,
    readonly path: Buffer,
    readonly code: 'ENOENT' | 'ENOTDIR' | 'ELOOP',
  ) {
    super(`${path.toString('utf8')}: ${PATH_PROBLEMS[code]}`);
  }
}

const PATH_PROBLEMS = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many levels of symbolic links',
} as const;
