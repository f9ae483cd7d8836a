import { defineRecord, u16, u32, u64, u8 } from './record';

/** Xattr entries, shared ids and prefix records lie on this boundary (bytes). */
export const XATTR_ALIGNMENT = 4;

/**
 * Start of an inode's xattr body: then come `sharedCount` ids of 4 bytes, then inline entries to the body's end.
 * An inode's `xattrCount` n means no body for 0, else a body of 12 + 4 (n - 1) bytes.
 */
export const xattrBodyRecord = defineRecord('xattr body', 12, {
  /** Bit set: no xattr whose name hashes to this bit. 0 says nothing. */
  nameFilter: u32(0),
  sharedCount: u8(4),
});

/** Id of a shared entry: it lies at `xattrBlockAddress` blocks plus 4 times this. */
export const sharedXattrIdRecord = defineRecord('shared xattr id', 4, { id: u32(0) });

/** An inline or shared entry; name and value follow, then zeros up to the next multiple of 4. */
export const xattrEntryRecord = defineRecord('xattr entry', 4, {
  /** Bytes of the name after its prefix. */
  nameLength: u8(0),
  /** Index of XATTR_PREFIXES, or LONG_PREFIX with the number of a long prefix. */
  nameIndex: u8(1),
  /** Bytes. */
  valueSize: u16(2),
});

/** Bit of `nameIndex`: the other 7 bits number a long prefix (Linux 6.4). */
export const LONG_PREFIX = 0x80;
export const LONG_PREFIX_MASK = 0x7f;

/** Head of a long prefix; `length - 1` bytes follow that stand between the base prefix and the name. */
export const longPrefixRecord = defineRecord('long xattr prefix', 3, {
  /** Bytes after this field: 1 to 256. */
  length: u16(0),
  /** Index of XATTR_PREFIXES; BASE_HIDDEN: the attribute cannot be reached through the VFS. */
  baseIndex: u8(2),
});

export const LONG_PREFIX_LENGTH_MAX = 256;
export const LONG_PREFIX_COUNT_MAX = 128;
export const BASE_HIDDEN = 0;

/** Value of a fingerprint: the words `sha256:` and 32 raw bytes (mkfs.erofs 1.9). */
export const FINGERPRINT_LABEL = 'sha256:';
export const FINGERPRINT_DIGEST_BYTES = 32;
export const FINGERPRINT_DEFAULT_NAME = 'erofs.fingerprint.v1';

export interface XattrPrefix {
  readonly index: number;
  readonly prefix: string;
  /** The prefix is the whole name: entries have an empty name of their own. */
  readonly whole: boolean;
}

/** Name indexes of the format. Posix ACLs hold the value that getxattr(2) gives. */
export const XATTR_PREFIXES: readonly XattrPrefix[] = [
  { index: 1, prefix: 'user.', whole: false },
  { index: 2, prefix: 'system.posix_acl_access', whole: true },
  { index: 3, prefix: 'system.posix_acl_default', whole: true },
  { index: 4, prefix: 'trusted.', whole: false },
  { index: 5, prefix: 'lustre.', whole: false },
  { index: 6, prefix: 'security.', whole: false },
];

/** Seed of the name filter, to which the base index is added (Linux 6.6). */
export const XATTR_FILTER_SEED = 0x25bbe08f;
/** A filter with no attribute at all; each name clears one bit. */
export const XATTR_FILTER_EMPTY = 0xffff_ffff;

/**
 * Hidden attribute of regular files of images that hold the merged metadata of layers, a long prefix as a whole: where the
 * content is, see `sourceRecord`. Nothing that lists attributes by name shows it, so it cannot get from a layer into a
 * merged image.
 */
export const SOURCE_XATTR = 'ishare.source';

/** Value of SOURCE_XATTR. */
export const sourceRecord = defineRecord('source', 10, {
  /** Which of the layers that were merged, the topmost being 0. */
  layer: u16(0),
  /** Inode there. */
  nid: u64(2),
});

/**
 * Hidden attribute of the root of images that ishare-snapshotter compresses, a long prefix as a whole: the codecs that
 * made them with their versions, as text. The same input gives the same image with the same codecs only.
 */
export const CODECS_XATTR = 'ishare.codecs';
