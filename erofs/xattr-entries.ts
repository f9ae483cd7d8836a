import type { ByteSource } from './byte-source';
import { ErofsCorruptError, ErofsUnsupportedError } from './errors';
import { COMPAT } from './format/feature';
import { errorSite, type Site } from './format/record';
import { XATTR_ALIGNMENT, sharedXattrIdRecord, xattrBodyRecord, xattrEntryRecord } from './format/xattr';
import type { Inode } from './inode';
import type { ImageSources } from './image-sources';
import { readRange } from './read-range';

/** One attribute of an inode as it is stored. Buffers are views of cached memory. */
export interface XattrEntry {
  /** Base index, or LONG_PREFIX and the number of a long prefix. */
  readonly nameIndex: number;
  /** Bytes of the name after its prefix. */
  readonly rest: Buffer;
  readonly value: Buffer;
}

/** An inode's xattr body. */
export interface XattrBody {
  /** Bit set: no attribute hashes to it. 0 where it says nothing. */
  readonly nameFilter: number;
  readonly sharedIds: readonly number[];
  readonly inline: readonly XattrEntry[];
}

/** Reads the body, or gives undefined where the inode has none. Shared entries are not followed. */
export async function readXattrBody(image: ImageSources, inode: Inode): Promise<XattrBody | undefined> {
  if (inode.xattrSize === 0) return undefined;
  const site: Site = { image: image.label, nid: inode.nid, origin: inode.xattrOffset };
  if (inode.xattrSize === xattrBodyRecord.size) {
    // Linux refuses this size too: a body without entries has a meaning that nobody has given yet.
    throw new ErofsUnsupportedError(errorSite(site, 0, 'inode.xattrCount'), 'an xattr body without entries');
  }
  const body = await readRange(
    image.home(inode.nid),
    inode.xattrOffset,
    inode.xattrSize,
    inode.nid,
    'inode.xattrCount',
  );
  const { nameFilter, sharedCount } = xattrBodyRecord.read(body, 0, site);
  const sharedEnd = xattrBodyRecord.size + sharedCount * sharedXattrIdRecord.size;
  if (sharedEnd > body.length) {
    throw new ErofsCorruptError(
      {
        image: site.image,
        nid: site.nid,
        offset: site.origin,
        field: xattrBodyRecord.fields.sharedCount.name,
      },
      `${sharedCount} ids do not fit in ${body.length} bytes`,
    );
  }
  const sharedIds: number[] = [];
  for (let at = xattrBodyRecord.size; at < sharedEnd; at += sharedXattrIdRecord.size) {
    sharedIds.push(sharedXattrIdRecord.fields.id.read(body, at, site));
  }
  return {
    nameFilter: image.superblock.xattrFilter ? nameFilter : 0,
    sharedIds,
    inline: decodeInline(body, sharedEnd, site),
  };
}

function decodeInline(body: Buffer, start: number, site: Site): XattrEntry[] {
  const entries: XattrEntry[] = [];
  for (let at = start; at < body.length;) {
    const { nameLength, nameIndex, valueSize } = xattrEntryRecord.read(body, at, site);
    const nameStart = at + xattrEntryRecord.size;
    const valueStart = nameStart + nameLength;
    const end = valueStart + valueSize;
    if (end > body.length) {
      throw new ErofsCorruptError(
        errorSite(site, at, xattrEntryRecord.name),
        `ends ${end - body.length} bytes after the xattr body`,
      );
    }
    entries.push({
      nameIndex,
      rest: body.subarray(nameStart, valueStart),
      value: body.subarray(valueStart, end),
    });
    at = Math.ceil(end / XATTR_ALIGNMENT) * XATTR_ALIGNMENT;
  }
  return entries;
}

/** Reads the shared entry with this id. */
export async function readSharedXattr(image: ImageSources, id: number, inode: Inode): Promise<XattrEntry> {
  const { superblock, label } = image;
  const field = sharedXattrIdRecord.fields.id.name;
  const source = sharedXattrSource(image, inode);
  const position = superblock.sharedXattrOffset + id * XATTR_ALIGNMENT;
  const head = await readRange(source, position, xattrEntryRecord.size, inode.nid, field);
  const site: Site = { image: label, nid: inode.nid, origin: position };
  const { nameLength, nameIndex, valueSize } = xattrEntryRecord.read(head, 0, site);
  const content = await readRange(
    source,
    position + xattrEntryRecord.size,
    nameLength + valueSize,
    inode.nid,
    xattrEntryRecord.name,
  );
  return { nameIndex, rest: content.subarray(0, nameLength), value: content.subarray(nameLength) };
}

function sharedXattrSource(image: ImageSources, inode: Inode): ByteSource {
  if ((image.superblock.featureCompat & COMPAT.SHARED_EA_IN_METABOX) === 0) return image.metadata;
  if (image.metabox !== undefined) return image.metabox;
  throw new ErofsCorruptError(
    { image: image.label, nid: inode.nid, field: 'superblock.featureCompat' },
    'shared xattrs lie in a metabox file, which the image does not have',
  );
}
