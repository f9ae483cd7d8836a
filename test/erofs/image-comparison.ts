import { isDeepStrictEqual } from 'node:util';
import { ErofsImage, type Inode } from '../../erofs/image';
import { ErofsError } from '../../erofs/errors';
import { isRegularFile } from '../../erofs/inode';
import { Pseudorandom } from './compressible-tree';
import { KernelMount } from './kernel-mount';
import type { TemporaryDirectory } from './temporary-directory';
import { describeHostTree, describeImage, portable, type TreeDescription } from './tree-description';

/** Ranges of each file that are read besides all of it. */
const RANGES = 12;

function kernelTree(image: string, mountPoint: string, devices: readonly string[]): TreeDescription {
  using mounted = new KernelMount(image, mountPoint, devices);
  return describeHostTree(mounted.path);
}

/** Reads parts of every file, here and there and one after the other, and compares them with all of it. */
async function checkRanges(image: ErofsImage): Promise<void> {
  const random = new Pseudorandom(7);
  const files: Inode[] = [];
  for await (const inode of image.files()) if (inode.size > 0) files.push(inode);
  for (const inode of files) {
    expect(isRegularFile(inode)).toBe(true);
    const whole = await image.read(inode, 0, inode.size);
    const ranges = Array.from({ length: RANGES }, () => {
      const start = random.below(inode.size);
      return [start, start + 1 + random.below(Math.min(200_000, inode.size - start))] as const;
    });
    // Together, so that they wait for one another's decodes.
    const parts = await Promise.all(ranges.map(([start, end]) => image.read(inode, start, end - start)));
    parts.forEach((part, index) => {
      const [start, end] = ranges[index]!;
      if (!part.equals(whole.subarray(start, end)))
        throw new Error(`inode ${inode.nid}, ${start} to ${end} differs`);
    });
  }
}

/** What source and image have in common, but for times: with compact inodes mkfs cuts the nanoseconds off. */
function timeless(tree: TreeDescription): ReturnType<typeof portable> {
  return new Map([...portable(tree)].map(([path, { mtimeNs: _mtimeNs, ...rest }]) => [path, rest]));
}

/** Who says what an image must show. */
export interface Judges {
  readonly source: boolean;
  readonly kernel: boolean;
}

/** Fails with the first path that differs: a diff of whole trees would be longer than anybody reads. */
function expectSame(ours: ReadonlyMap<string, unknown>, theirs: ReadonlyMap<string, unknown>): void {
  expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
  for (const [path, node] of ours) expect({ path, node }).toEqual({ path, node: theirs.get(path) });
}

/** An image and what it was made from. */
export interface ComparedImage {
  readonly image: string;
  readonly source: string;
  readonly devices?: readonly string[];
  readonly judges: Judges;
}

/** Fails unless our reader shows what the source tree and the kernel's mount show. Mounts below `directory`. */
export async function compareImage(
  directory: TemporaryDirectory,
  { image: path, source, devices = [], judges }: ComparedImage,
): Promise<void> {
  await using image = await ErofsImage.open(path, { devices });
  const ours = await describeImage(image);
  if (judges.source) expectSame(timeless(ours), timeless(describeHostTree(source)));
  if (judges.kernel) expectSame(ours, kernelTree(path, directory.join('mounted'), devices));
  await checkRanges(image);
}

/**
 * The same for options that nobody has tried together: where Linux and the source show different things, mkfs.erofs has
 * written something else than it read, or Linux reads it wrongly. Then our reader must agree with one of them in each
 * path; else with both. What Linux refuses to mount we may refuse too.
 */
export async function compareWithEither(
  directory: TemporaryDirectory,
  { image: path, source, devices = [] }: Omit<ComparedImage, 'judges'>,
): Promise<void> {
  const original = timeless(describeHostTree(source));
  const linux = linuxTree(path, directory.join('mounted'), devices);
  if (linux === undefined) {
    await expect(describeFile(path, devices)).rejects.toBeInstanceOf(ErofsError);
    return;
  }
  const ours = await describeFile(path, devices);
  const [oursTimeless, linuxTimeless] = [timeless(ours), timeless(linux)];
  expect([...ours.keys()].sort()).toEqual([...linux.keys()].sort());
  for (const [name, node] of ours) {
    const asSource = isDeepStrictEqual(oursTimeless.get(name), original.get(name));
    const judgesAgree = isDeepStrictEqual(linuxTimeless.get(name), original.get(name));
    if (judgesAgree || !asSource) expect({ name, node }).toEqual({ name, node: linux.get(name) });
  }
  await using image = await ErofsImage.open(path, { devices });
  await checkRanges(image);
}

async function describeFile(path: string, devices: readonly string[]): Promise<TreeDescription> {
  await using image = await ErofsImage.open(path, { devices });
  return await describeImage(image);
}

/** Undefined where Linux does not mount the image. */
function linuxTree(
  path: string,
  mountPoint: string,
  devices: readonly string[],
): TreeDescription | undefined {
  try {
    return kernelTree(path, mountPoint, devices);
  } catch (error) {
    // What mount(8) says when the kernel finds the image wrong or unsupported; all else is trouble of ours.
    if (/Structure needs cleaning|wrong fs type|Operation not supported/.test(String(error)))
      return undefined;
    throw error;
  }
}
