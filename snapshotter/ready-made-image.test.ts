import {
  copyFile,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ErofsImage } from '../erofs/image';
import { slotOf } from '../ishare/node-numbers';
import { makeReadyMade } from '../ishare/verification/testing/ready-made';
import { cacheStat } from '../linux/page-cache';
import { InvalidArgumentError } from './errors';
import { Paths } from './paths';
import { adoptReadyMadeImage, isForUnpacking } from './ready-made-image';
import { makeRootDirectories } from './snapshot-directories';
import type { SnapshotId } from './store/snapshot-table';

const FIXTURES = join(__dirname, '../../test/fixtures/erofs');
const ID = 7 as SnapshotId;

let root: string;
let paths: Paths;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'ready-made-'));
  paths = new Paths(root);
  await makeRootDirectories(paths);
  await mkdir(paths.upper(ID), { recursive: true });
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

test.each([
  ['default/1/extract-123456789-aB_- sha256:0123', true],
  ['k8s.io/12/extract-1-x sha256:0123', true],
  ['extract-1-x sha256:0123', true],
  ['default/1/container', false],
  ['default/1/extract-1-x', false],
  ['default/1/not-extract-1-x sha256:0123', false],
  ['default/2/sha256:0123', false],
])('containerd unpacks into %j: %s', (key, expected) => {
  expect(isForUnpacking(key)).toBe(expected);
});

test('without a ready-made image nothing is adopted', async () => {
  expect(await adoptReadyMadeImage(paths, ID)).toBeUndefined();
  expect(await readdir(paths.images)).toEqual([]);
});

test('an image beside an empty directory becomes that of the layer, private and out of the page cache', async () => {
  await makeReadyMade(paths.readyMadeImage(ID), { file: 'content', large: Buffer.alloc(1_000_000, 'x') });
  const bytes = await readFile(paths.readyMadeImage(ID));
  const adopted = await adoptReadyMadeImage(paths, ID);
  expect(adopted).toMatchObject({ inodes: 3 });
  await using image = await open(paths.image(ID));
  expect(cacheStat(image.fd).cachedPages).toBe(0);
  expect((await image.stat()).mode & 0o777).toBe(0o600);
  expect((await image.readFile()).equals(bytes)).toBe(true);
});

test('what fails before the layer is stored can be tried again', async () => {
  await makeReadyMade(paths.readyMadeImage(ID), { file: 'content' });
  const adopted = await adoptReadyMadeImage(paths, ID);
  await rm(paths.image(ID));
  expect(await adoptReadyMadeImage(paths, ID)).toEqual(adopted);
});

test.each(['plain.erofs', 'chunk.erofs', 'metazone.erofs', 'metacompr.erofs', 'lz4.erofs'])(
  'the inode numbers of %s have room',
  async (sample) => {
    await copyFile(join(FIXTURES, sample), paths.readyMadeImage(ID));
    const adopted = await adoptReadyMadeImage(paths, ID);
    await using image = await ErofsImage.open(paths.image(ID));
    let largest = slotOf(image.rootNid)!;
    for await (const { nid } of image.files()) largest = Math.max(largest, slotOf(nid)!);
    expect(adopted!.nidLimit).toBeGreaterThan(largest);
  },
);

test.each([
  ['is no EROFS image', (file: string) => writeFile(file, 'no image'), /magic|bytes/],
  [
    'has content on other devices',
    (file: string) => copyFile(join(FIXTURES, 'chunk-blobdev.erofs'), file),
    /devices/,
  ],
  ['is a symbolic link', (file: string) => symlink('/etc/passwd', file), /regular file/],
  ['is a directory', (file: string) => mkdir(file).then(() => undefined), /regular file/],
])('what %s is refused and stays where it is', async (_what, make, message) => {
  const file = paths.readyMadeImage(ID);
  await make(file);
  const refusal = adoptReadyMadeImage(paths, ID);
  await expect(refusal).rejects.toThrow(InvalidArgumentError);
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toThrow(file);
  await stat(file);
  expect(await readdir(paths.images)).toEqual([]);
});

test('an image beside files of a layer is refused', async () => {
  await makeReadyMade(paths.readyMadeImage(ID), { file: 'content' });
  await writeFile(join(paths.upper(ID), 'unpacked'), 'too');
  await expect(adoptReadyMadeImage(paths, ID)).rejects.toThrow(paths.upper(ID));
});
