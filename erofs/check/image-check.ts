import type { ErofsImage, Inode } from '../image';
import type { LongPrefix } from '../xattr-prefixes';
import { ContentCheck } from './content-check';
import { findingOf, type Finding } from './finding';
import { StructureRanges } from './structure-ranges';
import { checkInodeCount, checkSuperblock } from './superblock-check';
import { TreeCheck, hasContent } from './tree-check';

/** What has been looked at, once the check is through. */
export interface CheckSummary {
  readonly inodes: number;
  readonly files: number;
  /** Bytes of content that were read or decoded. */
  readonly bytes: number;
  /** Fingerprints that were recomputed. */
  readonly fingerprints: number;
}

/** What a check is at: first it walks the tree, then it reads the files. */
export interface CheckProgress {
  readonly stage: 'tree' | 'content';
  /** Inodes, or bytes. */
  readonly done: number;
  readonly total: number;
}

/**
 * Checks an image that could be opened, and goes on after a finding. What opening checks is not repeated: superblock with
 * its checksum, device table, compression configurations, the metabox file. Takes each inode once, and memory in
 * proportion to the inodes. Rejects with what is not about the image, such as errors of the disk.
 */
export async function* checkImage(
  image: ErofsImage,
  onProgress: (progress: CheckProgress) => void = () => undefined,
): AsyncGenerator<Finding, CheckSummary> {
  yield* checkSuperblock(image);
  const structures = new StructureRanges(image);
  const prefixes = yield* longPrefixes(image);
  const tree = new TreeCheck(image, structures, prefixes, (done) => {
    onProgress({ stage: 'tree', done, total: Math.max(done, image.superblock.inodes) });
  });
  yield* tree.check();
  const unnamed = await unnamedFiles(image, structures, tree);
  yield* structures.check(tree.known);
  yield* checkInodeCount(image, tree.known.size + unnamed.length);

  const files: Inode[] = [...unnamed];
  for (const known of tree.known.entries()) if (hasContent(known[1])) files.push(known[1].inode);
  // In the order of the image, so that it is read forward.
  files.sort((left, right) => left.nid - right.nid);
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const content = new ContentCheck(image, structures, (done) => {
    onProgress({ stage: 'content', done, total });
  });
  yield* content.checkAll(files, (inode) => pathOf(tree, inode));
  return { inodes: tree.known.size + unnamed.length, files: files.length, ...content.counts };
}

/** Undefined for the files that no name leads to. */
function pathOf({ known }: TreeCheck, { nid }: Inode): Buffer | undefined {
  return known.get(nid) === undefined ? undefined : known.path(nid);
}

async function* longPrefixes(image: ErofsImage): AsyncGenerator<Finding, readonly LongPrefix[]> {
  try {
    return await image.longPrefixes();
  } catch (error) {
    yield findingOf(error);
    return [];
  }
}

/** The packed and the metabox file, where no name leads to them. */
async function unnamedFiles(
  image: ErofsImage,
  structures: StructureRanges,
  tree: TreeCheck,
): Promise<Inode[]> {
  const found: Inode[] = [];
  for (const nid of [image.superblock.packedNid, image.superblock.metaboxNid]) {
    if (nid === undefined || tree.known.get(nid) !== undefined) continue;
    try {
      const inode = await image.inode(nid);
      structures.add(inode);
      found.push(inode);
    } catch (error) {
      // The check of the superblock has told it.
      findingOf(error);
    }
  }
  return found;
}
