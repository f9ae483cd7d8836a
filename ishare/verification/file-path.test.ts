import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { toNid, type Nid } from '../../erofs/brands';
import { INODE_SLOT } from '../../erofs/format/inode';
import { ErofsImage } from '../../erofs/image';
import { resolvePath } from '../../erofs/path-resolution';
import { filePath } from './file-path';
import { makeReadyMade } from './testing/ready-made';

let directory: string;
let image: ErofsImage;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'file-path-'));
  image = await ErofsImage.open(
    await makeReadyMade(path.join(directory, 'image'), { 'a/b/c': '1', 'a/d': '2', z: '3' }),
  );
});

afterEach(async () => {
  await image[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function nidOf(name: string): Promise<Nid> {
  return (await resolvePath(image, Buffer.from(name), false)).nid;
}

test.each(['/a/b/c', '/a/d', '/a', '/z'])('%s is found', async (name) => {
  expect(await filePath(image, await nidOf(name))).toBe(name);
});

test('an inode that no name leads to is told by its number', async () => {
  expect(await filePath(image, toNid(12_345))).toBe('nid 12345');
});

test('so is one in a tree that cannot be read', async () => {
  const wanted = await nidOf('/a/b/c');
  const bytes = await readFile(path.join(directory, 'image'));
  bytes.writeUInt16LE(0xffff, image.superblock.metaOffset + (await nidOf('/a')) * INODE_SLOT);
  await writeFile(path.join(directory, 'broken'), bytes);
  await using broken = await ErofsImage.open(path.join(directory, 'broken'));
  expect(await filePath(broken, wanted)).toBe(`nid ${wanted}`);
});
