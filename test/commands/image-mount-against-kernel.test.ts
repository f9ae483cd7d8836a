import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readSync,
  readdirSync,
  statfsSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { directoryEntries } from '../../linux/testing/directory-entries';
import { SEEK, seek } from '../../linux/testing/file-position';
import { MAP, mappedBytes } from '../../linux/testing/mapped-bytes';
import { errorCode } from '../../linux/errno';
import { makeAwkwardTree } from '../erofs/awkward-tree';
import { devicesOf } from '../erofs/damaged-image';
import { newerTool, systemMkfs, type ErofsTool } from '../../erofs/testing/erofs-utils';
import { KernelMount } from '../erofs/kernel-mount';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { describeHostTree } from '../erofs/tree-description';
import { ForegroundMount } from '../harness/image-mounts';
import { LONG } from '../../linux/testing/long-trials';

const fixtures = resolve('test/fixtures/erofs');
const samples = readdirSync(fixtures).filter((name) => name.endsWith('.erofs'));

/** The same image twice: as Linux mounts it, and as `ishare image mount` does. */
interface Pair {
  readonly kernel: string;
  readonly ours: string;
}

async function withBoth(
  image: string,
  devices: readonly string[],
  compare: (mounts: Pair) => void,
): Promise<void> {
  using directory = new TemporaryDirectory();
  using kernel = new KernelMount(image, directory.join('kernel'), devices);
  const ours = directory.join('ours');
  mkdirSync(ours);
  const options = devices.flatMap((device) => ['--device', device]);
  await using _mount = await ForegroundMount.start(image, ours, ...options);
  compare({ kernel: kernel.path, ours });
}

function expectSame(mounts: Pair): void {
  const tree = describeHostTree(mounts.kernel);
  expect(describeHostTree(mounts.ours)).toEqual(tree);
  expect(statisticsOf(mounts.ours)).toEqual(statisticsOf(mounts.kernel));
  const paths = [...tree.keys()];
  expect(paths.map((path) => timesAndBlocks(mounts.ours, path))).toEqual(
    paths.map((path) => timesAndBlocks(mounts.kernel, path)),
  );
  for (const path of paths) {
    const [ours, kernel] = [below(mounts.ours, path), below(mounts.kernel, path)];
    const stats = lstatSync(kernel);
    if (stats.isDirectory()) expect(listing(ours)).toEqual(listing(kernel));
    if (stats.isFile()) expectSameFile(ours, kernel, stats.size);
  }
}

/** What describeHostTree leaves out of stat(2). */
function timesAndBlocks(root: string, path: string): string {
  const { atimeNs, ctimeNs, blocks, blksize } = lstatSync(below(root, path), { bigint: true });
  return `${path}: ${[atimeNs, ctimeNs, blocks, blksize].join(' ')}`;
}

/** Without the type, which tells FUSE from EROFS. */
function statisticsOf(path: string): Record<string, bigint> {
  const { bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path, { bigint: true });
  return { bsize, blocks, bfree, bavail, files, ffree };
}

/** `path` is as describeHostTree has it: bytes as latin1. */
function below(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(root), Buffer.from(path, 'latin1')]);
}

/**
 * Names and types in the order in which readdir(3) gives them, "." and ".." first: where the image leaves "." out, Linux
 * gives it last.
 */
function listing(path: Buffer): string[] {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const lines: string[] = [];
    for (;;) {
      const some = directoryEntries(fd, 4096);
      if (some.length === 0)
        return [...lines.filter(isDots).sort(), ...lines.filter((line) => !isDots(line))];
      lines.push(...some.map(({ name, type }) => `${name.toString('latin1')} ${type}`));
    }
  } finally {
    closeSync(fd);
  }
}

function isDots(line: string): boolean {
  return /^\.\.? /.test(line);
}

function expectSameFile(ours: Buffer, kernel: Buffer, size: number): void {
  using left = new OpenFile(ours);
  using right = new OpenFile(kernel);
  expect(left.read(size, 100)).toHaveLength(0);
  if (size === 0) return;
  expect(left.read(size + 1_000_000, 100)).toHaveLength(0);
  expect(left.read(Math.max(0, size - 5), 100)).toEqual(right.read(Math.max(0, size - 5), 100));
  expect(left.dataAndHoles(size)).toEqual(right.dataAndHoles(size));
  for (const flags of [MAP.SHARED, MAP.PRIVATE]) {
    expect(mappedBytes(left.fd, size, flags).equals(mappedBytes(right.fd, size, flags))).toBe(true);
  }
  fc.assert(
    fc.property(fc.nat(size + 100), fc.nat(20_000), (offset, length) => {
      expect(left.read(offset, length).equals(right.read(offset, length))).toBe(true);
    }),
    { numRuns: 10 },
  );
  using direct = new OpenFile(ours, constants.O_DIRECT);
  expect(direct.read(0, 8192).equals(right.read(0, 8192))).toBe(true);
}

class OpenFile implements Disposable {
  readonly fd: number;

  constructor(path: Buffer, flags = 0) {
    this.fd = openSync(path, constants.O_RDONLY | flags);
  }

  read(offset: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(this.fd, buffer, 0, length, offset));
  }

  /** Where data and holes begin, as lseek(2) tells; each is sought from where the last one was found. */
  dataAndHoles(size: number): string[] {
    const steps: string[] = [];
    for (let at = 0; at <= size && steps.length < 1000;) {
      const data = this.#seek(at, SEEK.DATA);
      const hole = this.#seek(at, SEEK.HOLE);
      steps.push(`${at}: data ${data}, hole ${hole}`);
      if (typeof hole === 'string') break;
      at = Math.max(hole, typeof data === 'string' ? size : data);
      if (at === size) break;
    }
    return steps;
  }

  #seek(offset: number, whence: number): number | string {
    try {
      return seek(this.fd, offset, whence);
    } catch (error) {
      return errorCode(error) ?? 'failed';
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

describe('a mounted image shows what the mount of Linux shows', () => {
  test.each(samples)('of the sample %s', async (name) => {
    const devices = (devicesOf[name] ?? []).map((device) => join(fixtures, device));
    await withBoth(join(fixtures, name), devices, expectSame);
  });

  let trees: TemporaryDirectory;
  let source: string;
  beforeAll(() => {
    trees = new TemporaryDirectory();
    source = trees.join('source');
    mkdirSync(source);
    makeAwkwardTree(source);
  });
  afterAll(() => trees[Symbol.dispose]());

  async function compareTree(mkfs: ErofsTool, ...options: readonly string[]): Promise<void> {
    using directory = new TemporaryDirectory();
    const image = directory.join('image.erofs');
    mkfs.run('--quiet', ...options, image, source);
    await withBoth(image, [], expectSame);
  }

  // Tool, options, and whether it is worth its time in the short run, too.
  const newMkfs = newerTool('mkfs.erofs');
  const variants: [string, ErofsTool | undefined, readonly string[], boolean][] = [
    ['compressed', systemMkfs, ['-zlz4hc', '-C65536'], true],
    ['plain', systemMkfs, [], false],
    // Older ones leave no holes out.
    ['in chunks, with holes', newMkfs, ['--chunksize=4096'], true],
    ['in encoded extents', newMkfs, ['-zlz4', '-E48bit'], false],
  ];
  for (const [title, mkfs, options, inShortRun] of variants) {
    const runs = mkfs !== undefined && (inShortRun || LONG);
    (runs ? test : test.skip)(`of an awkward tree, ${title}`, () => compareTree(mkfs!, ...options));
  }
});
