import type { Inode } from '../image';
import type { Contents } from './contents';

/** Bytes of a page, in which caches count. */
const PAGE_BYTES = 4096;

/** Of one image. */
export interface ImageContents {
  /** Regular files that are not empty; hard links are one file. */
  readonly files: number;
  readonly bytes: number;
  /** Files whose content is in the other image too. */
  readonly inOther: number;
  readonly bytesInOther: number;
  /** Files whose digest had to be computed: this program would not share them as they are. */
  readonly computed: number;
}

/** What two images would share if all of their files were read by containers of one domain. */
export interface SharedContent {
  readonly before: ImageContents;
  readonly after: ImageContents;
  /** Contents that both have, each counted once. */
  readonly sharedContents: number;
  readonly sharedBytes: number;
  /** Bytes of page cache for all files of both, each with pages of its own. */
  readonly pageCacheAlone: number;
  /** The same with one set of pages for each content. */
  readonly pageCacheShared: number;
}

/**
 * What a pair of images has in common. Contents of different size are never taken for the same. `onTotal` is told how
 * many bytes must be hashed, before that begins.
 */
export async function sharedContent(
  before: Contents,
  after: Contents,
  onTotal: (bytes: number) => void = () => undefined,
): Promise<SharedContent> {
  const old = await filesOf(before);
  const young = await filesOf(after);
  onTotal(old.toHash + young.toHash);
  const oldKeys = await keysOf(before, old.files);
  const youngKeys = await keysOf(after, young.files);
  const inOld = new Set(oldKeys);
  const inYoung = new Set(youngKeys);
  const both = new Map<string, number>();
  const all = new Map<string, number>();
  const note = (files: readonly Inode[], keys: readonly string[], other: ReadonlySet<string>): void => {
    files.forEach(({ size }, index) => {
      const key = keys[index] ?? '';
      all.set(key, size);
      if (other.has(key)) both.set(key, size);
    });
  };
  note(old.files, oldKeys, inYoung);
  note(young.files, youngKeys, inOld);
  const sizes = [...old.files, ...young.files].map(({ size }) => size);
  return {
    before: imageContents(before, old.files, oldKeys, inYoung),
    after: imageContents(after, young.files, youngKeys, inOld),
    sharedContents: both.size,
    sharedBytes: sum([...both.values()]),
    pageCacheAlone: sum(sizes.map(pages)),
    pageCacheShared: sum([...all.values()].map(pages)),
  };
}

/** All files with content, and how many bytes must be hashed for want of a claim. */
async function filesOf(contents: Contents): Promise<{ files: Inode[]; toHash: number }> {
  const files: Inode[] = [];
  let toHash = 0;
  for await (const inode of contents.image.files()) {
    if (inode.size === 0) continue;
    files.push(inode);
    if ((await contents.claimOf(inode)) === undefined) toHash += inode.size;
  }
  return { files, toHash };
}

async function keysOf(contents: Contents, files: readonly Inode[]): Promise<string[]> {
  const keys: string[] = [];
  for (const inode of files) keys.push(`${inode.size}:${await contents.digestOf(inode)}`);
  return keys;
}

function imageContents(
  contents: Contents,
  files: readonly Inode[],
  keys: readonly string[],
  other: ReadonlySet<string>,
): ImageContents {
  const shared = files.filter((_, index) => other.has(keys[index] ?? ''));
  return {
    files: files.length,
    bytes: sum(files.map(({ size }) => size)),
    inOther: shared.length,
    bytesInOther: sum(shared.map(({ size }) => size)),
    computed: contents.computed,
  };
}

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
