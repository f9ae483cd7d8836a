import type { ByteSource } from './byte-source';
import { ErofsCorruptError } from './errors';
import { COMPAT, INCOMPAT } from './format/feature';
import { errorSite, type Site } from './format/record';
import { LONG_PREFIX_LENGTH_MAX, XATTR_ALIGNMENT, longPrefixRecord } from './format/xattr';
import type { ImageSources } from './image-sources';
import { InodeSource } from './inode-source';
import type { InodeTable } from './inode-table';
import { readRange } from './read-range';
import { xattrPrefixBytes } from './xattr-name';

/** One long prefix of an image. */
export interface LongPrefix {
  readonly baseIndex: number;
  /** Between the base prefix and what entries hold. */
  readonly infix: Buffer;
  /** Base prefix and infix, or undefined where the base makes the attribute unreachable by name. */
  readonly full: Buffer | undefined;
}

const { length: lengthField } = longPrefixRecord.fields;

/** Bytes of the longest table that the superblock can announce. */
function tableLimit(count: number): number {
  return count * (lengthField.width + LONG_PREFIX_LENGTH_MAX + XATTR_ALIGNMENT);
}

/** Reads the table of long prefixes. Empty where the image has none. */
export async function readLongPrefixes(
  image: ImageSources,
  inodes: InodeTable,
): Promise<readonly LongPrefix[]> {
  const { xattrPrefixCount, xattrPrefixOffset } = image.superblock;
  if (xattrPrefixCount === 0) return [];
  const source = await prefixSource(image, inodes);
  const length = Math.max(0, Math.min(tableLimit(xattrPrefixCount), source.size - xattrPrefixOffset));
  const table = await readRange(source, xattrPrefixOffset, length, undefined, 'superblock.xattrPrefixStart');
  return decodeLongPrefixes(table, xattrPrefixCount, { image: image.label, origin: xattrPrefixOffset });
}

/** The table is in the image itself, in the metabox file or in the packed file (fs/erofs/xattr.c, Linux 6.17). */
async function prefixSource(image: ImageSources, inodes: InodeTable): Promise<ByteSource> {
  const { featureCompat, featureIncompat, packedNid } = image.superblock;
  if ((featureCompat & COMPAT.PLAIN_XATTR_PFX) !== 0) return image.metadata;
  if ((featureIncompat & INCOMPAT.METABOX) !== 0 && image.metabox !== undefined) return image.metabox;
  if (packedNid === undefined) return image.metadata;
  return new InodeSource(image, await inodes.get(packedNid));
}

function decodeLongPrefixes(table: Buffer, count: number, site: Site): LongPrefix[] {
  const prefixes: LongPrefix[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const { length, baseIndex } = longPrefixRecord.read(table, at, site);
    const start = at + longPrefixRecord.size;
    const end = at + lengthField.width + length;
    if (length < 1 || length > LONG_PREFIX_LENGTH_MAX || end > table.length) {
      throw new ErofsCorruptError(errorSite(site, at, lengthField.name), `${length} in prefix ${index}`);
    }
    const infix = Buffer.from(table.subarray(start, end));
    const base = xattrPrefixBytes(baseIndex);
    prefixes.push({ baseIndex, infix, full: base === undefined ? undefined : Buffer.concat([base, infix]) });
    at = Math.ceil(end / XATTR_ALIGNMENT) * XATTR_ALIGNMENT;
  }
  return prefixes;
}
