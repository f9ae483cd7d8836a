/** Features that a reader may ignore (`featureCompat`). */
export const COMPAT = {
  SB_CHKSUM: 0x1,
  /** Inode times are modification times. */
  MTIME: 0x2,
  /** The xattr body's `nameFilter` means something (Linux 6.6). */
  XATTR_FILTER: 0x4,
  SHARED_EA_IN_METABOX: 0x8,
  /** Long xattr prefixes lie in the image itself, not in the packed or metabox file. */
  PLAIN_XATTR_PFX: 0x10,
  /** `ishareXattrPrefixId` names the fingerprint xattr (Linux 7.0). */
  ISHARE_XATTRS: 0x20,
} as const;

/** Features that a reader must know (`featureIncompat`). Some bits stand for two features. */
export const INCOMPAT = {
  LZ4_0PADDING: 0x1,
  /** Also BIG_PCLUSTER. */
  COMPR_CFGS: 0x2,
  CHUNKED_FILE: 0x4,
  /** Also COMPR_HEAD2. */
  DEVICE_TABLE: 0x8,
  ZTAILPACKING: 0x10,
  /** Also DEDUPE. */
  FRAGMENTS: 0x20,
  XATTR_PREFIXES: 0x40,
  '48BIT': 0x80,
  METABOX: 0x100,
} as const;

/** Names of the bits that are set, `bit N` for those without a name. */
export function featureNames(bits: number, names: Readonly<Record<string, number>>): string[] {
  const found: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if (((bits >>> bit) & 1) === 0) continue;
    const known = Object.entries(names).find(([, value]) => value === 2 ** bit);
    found.push(known?.[0] ?? `bit ${bit}`);
  }
  return found;
}
