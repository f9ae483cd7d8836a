import { ErofsUnsupportedError, type ErofsErrorSite } from '../errors';
import { BASE_HIDDEN, LONG_PREFIX, LONG_PREFIX_MASK } from '../format/xattr';
import type { ErofsImage, Inode } from '../image';
import { readSharedXattr, readXattrBody, type XattrBody, type XattrEntry } from '../xattr-entries';
import { xattrFilterBit, xattrPrefixBytes } from '../xattr-name';
import type { LongPrefix } from '../xattr-prefixes';
import { finding, findingOf, type Finding } from './finding';

/** Every attribute of an inode: that it can be read and named, is there once, and is not denied by the name filter. */
export async function* checkXattrs(
  image: ErofsImage,
  inode: Inode,
  prefixes: readonly LongPrefix[],
  path: Buffer,
): AsyncGenerator<Finding> {
  let body: XattrBody | undefined;
  try {
    body = await readXattrBody(image.sources, inode);
  } catch (error) {
    yield findingOf(error, path);
  }
  if (body === undefined) return;
  const site: ErofsErrorSite = {
    image: image.label,
    nid: inode.nid,
    offset: inode.xattrOffset,
    field: 'xattr entry.nameIndex',
  };
  const seen = new Set<string>();
  const { nameFilter, inline, sharedIds } = body;
  for (const entry of inline) yield* checkEntry(entry, nameFilter, prefixes, seen, site, path);
  for (const id of sharedIds) {
    try {
      const entry = await readSharedXattr(image.sources, id, inode);
      yield* checkEntry(entry, nameFilter, prefixes, seen, site, path);
    } catch (error) {
      yield findingOf(error, path);
    }
  }
}

function* checkEntry(
  { nameIndex, rest }: XattrEntry,
  nameFilter: number,
  prefixes: readonly LongPrefix[],
  seen: Set<string>,
  site: ErofsErrorSite,
  path: Buffer,
): Generator<Finding> {
  const long = (nameIndex & LONG_PREFIX) !== 0;
  const number = nameIndex & LONG_PREFIX_MASK;
  const prefix = prefixes[number];
  if (long && prefix === undefined) {
    yield finding(site, `long prefix ${number} of ${prefixes.length}`, path);
    return;
  }
  const baseIndex = long ? (prefix?.baseIndex ?? BASE_HIDDEN) : nameIndex;
  if (!long && xattrPrefixBytes(baseIndex) === undefined) {
    yield { error: new ErofsUnsupportedError(site, `${baseIndex} is no known prefix`), path };
    return;
  }
  const tail = long ? Buffer.concat([prefix?.infix ?? Buffer.alloc(0), rest]) : rest;
  const shown = `${xattrPrefixBytes(baseIndex)?.toString('latin1') ?? ''}${tail.toString('latin1')}`;
  if (tail.includes(0)) yield finding({ ...site, field: 'xattr entry' }, 'its name has a NUL in it', path);
  const key = `${baseIndex}:${tail.toString('latin1')}`;
  if (seen.has(key)) {
    yield finding({ ...site, field: 'xattr entry' }, `${JSON.stringify(shown)} is there twice`, path);
  }
  seen.add(key);
  if (((nameFilter >>> xattrFilterBit(baseIndex, tail)) & 1) === 1) {
    yield finding(
      { ...site, field: 'xattr body.nameFilter' },
      `says that ${JSON.stringify(shown)} is not there`,
      path,
    );
  }
}
