import { readFileSync, writeFileSync } from 'node:fs';
import { ADVISE, ALGORITHM } from '../../erofs/format/compression';
import { ErofsImage, type Inode } from '../../erofs/image';
import { MemorySource } from '../../erofs/memory-source';
import { Pseudorandom } from './compressible-tree';
import { craftImage, fullIndex, type CraftedHead, type CraftedImage } from './crafted-compression';
import { KernelMount } from './kernel-mount';
import { TemporaryDirectory } from './temporary-directory';

export const MIB = 1024 * 1024;
/** HEAD1: LZ4, HEAD2: DEFLATE. */
export const ALGORITHMS = ALGORITHM.LZ4 | (ALGORITHM.DEFLATE << 4);
/** Pclusters of several blocks for both. */
export const BIG = ADVISE.BIG_PCLUSTER_1 | ADVISE.BIG_PCLUSTER_2;

/** The one file of a crafted image. */
export async function openFile(bytes: Buffer): Promise<{ image: ErofsImage; inode: Inode }> {
  const memory = new MemorySource(bytes, 'crafted');
  const image = await ErofsImage.fromSources(memory, memory);
  const found = await image.lookup(await image.inode(image.rootNid), Buffer.from('file'));
  return { image, inode: await image.inode(found!.nid) };
}

/** What our reader says of the file, in one read and in many. */
export async function expectContent(bytes: Buffer, content: Buffer): Promise<void> {
  const { image, inode } = await openFile(bytes);
  await using _image = image;
  expect((await image.read(inode, 0, inode.size)).equals(content)).toBe(true);
  const random = new Pseudorandom(content.length);
  for (let trial = 0; trial < 60; trial++) {
    const start = random.below(content.length);
    const length = 1 + random.below(trial % 2 === 0 ? 5000 : 300_000);
    const part = await image.read(inode, start, length);
    expect({ start, length, same: part.equals(content.subarray(start, start + length)) }).toMatchObject({
      same: true,
    });
  }
}

function kernelContent(bytes: Buffer): Buffer {
  using directory = new TemporaryDirectory();
  writeFileSync(directory.join('image'), bytes);
  using mounted = new KernelMount(directory.join('image'), directory.join('mounted'));
  return readFileSync(`${mounted.path}/file`);
}

/** The same, and Linux says so too. */
export async function expectContentAsLinux(crafted: CraftedImage, content: Buffer): Promise<void> {
  const bytes = craftImage(crafted);
  await expectContent(bytes, content);
  expect(kernelContent(bytes).equals(content)).toBe(true);
}

/** A file with a full index over `content`; `heads` say where in `data` their pclusters are. */
export function indexed(
  content: Buffer,
  data: Buffer,
  heads: (block: number) => CraftedHead[],
  advise = BIG,
  more: Partial<CraftedImage> = {},
): CraftedImage {
  return {
    data,
    file: (block) => ({
      size: content.length,
      header: { advise, algorithms: ALGORITHMS },
      table: fullIndex(content.length, heads(block)),
    }),
    ...more,
  };
}
