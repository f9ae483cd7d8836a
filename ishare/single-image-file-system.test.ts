import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ErofsImage } from '../erofs/image';
import { FuseError } from '../fuse/errors';
import {
  NO_HANDLE,
  nodeId,
  ROOT_NODE,
  type DirectoryItem,
  type DirectorySink,
  type NodeId,
} from '../fuse/file-system';
import { SEEK_DATA, SEEK_HOLE } from '../fuse/protocol/flags';
import { SingleImageFileSystem } from './single-image-file-system';

const fixtures = resolve('test/fixtures/erofs');

let image: ErofsImage;
let fileSystem: SingleImageFileSystem;

beforeEach(async () => {
  image = await ErofsImage.open(`${fixtures}/plain.erofs`);
  fileSystem = new SingleImageFileSystem(image);
});
afterEach(() => image[Symbol.asyncDispose]());

async function nodeOf(name: string): Promise<NodeId> {
  const entry = await fileSystem.lookup(ROOT_NODE, Buffer.from(name));
  if (entry === undefined) throw new Error(`no ${name}`);
  return entry.node;
}

/** Takes so many entries and no more. */
class Sink implements DirectorySink {
  readonly plus = true;
  readonly items: DirectoryItem[] = [];

  constructor(private readonly room: number) {}

  add(item: DirectoryItem): boolean {
    if (this.items.length === this.room) return false;
    this.items.push(item);
    return true;
  }
}

test('the root is node 1 and shows its nid; other nodes lead to their own inodes', async () => {
  expect((await fileSystem.attributes(ROOT_NODE)).ino).toBe(image.rootNid);
  const node = await nodeOf('a.txt');
  const { ino, size } = await fileSystem.attributes(node);
  expect(node).toBe(nodeId(ino + 2));
  expect(size).toBe(100_003);
  const source = readFileSync(`${fixtures}/src/a.txt`);
  expect(
    (await fileSystem.read(node, NO_HANDLE, 5, 1000, false, (length) => Buffer.alloc(length))).equals(
      source.subarray(5, 1005),
    ),
  ).toBe(true);
});

test('a directory goes on where the last reply was full, with an entry for all but the dots', async () => {
  const whole = new Sink(100);
  await fileSystem.readDirectory(ROOT_NODE, 0, whole);
  expect(whole.items.map(({ name }) => name.toString())).toEqual([
    ...['.', '..', 'a.txt', 'dir', 'empty', 'link', 'rand.bin', 'small'],
  ]);
  expect(whole.items.map(({ entry }) => entry !== undefined)).toEqual([
    ...[false, false, true, true, true, true, true, true],
  ]);
  const pieces: DirectoryItem[] = [];
  for (let cookie = 0; ;) {
    const piece = new Sink(3);
    await fileSystem.readDirectory(ROOT_NODE, cookie, piece);
    pieces.push(...piece.items);
    if (piece.items.length === 0) break;
    cookie = piece.items.at(-1)!.nextCookie;
  }
  expect(pieces).toEqual(whole.items);
});

test('a name that is not there is no error, one that cannot be is', async () => {
  expect(await fileSystem.lookup(ROOT_NODE, Buffer.from('missing'))).toBeUndefined();
  await expect(fileSystem.lookup(ROOT_NODE, Buffer.alloc(256, 'x'))).rejects.toThrow(
    new FuseError('ENAMETOOLONG'),
  );
});

test('a file without holes is data to its end, which counts as a hole', async () => {
  const node = await nodeOf('small');
  expect(await fileSystem.seek(node, 3, SEEK_DATA)).toBe(3);
  expect(await fileSystem.seek(node, 3, SEEK_HOLE)).toBe(12);
  for (const whence of [SEEK_DATA, SEEK_HOLE]) {
    await expect(fileSystem.seek(node, 12, whence)).rejects.toMatchObject({ code: 'ENXIO' });
  }
});

test('extended attributes are named and given', async () => {
  const node = await nodeOf('small');
  const name = Buffer.from('user.anchor.note');
  expect(await fileSystem.listXattrs(node)).toEqual([name]);
  expect(await fileSystem.getXattr(node, name)).toEqual(Buffer.from('hi'));
  expect(await fileSystem.getXattr(node, Buffer.from('user.other'))).toBeUndefined();
});

test('files read in the order of the directory hold the same, with and without time to read ahead', async () => {
  const listing = new Sink(100);
  await fileSystem.readDirectory(ROOT_NODE, 0, listing);
  const files = listing.items.filter(({ type }) => type === 8);
  const names = files.map(({ name }) => name.toString());
  for (const pauses of [0, 1, 2]) {
    for (let round = 0; round < 3; round++) {
      for (const name of names) {
        const node = await nodeOf(name);
        const source = readFileSync(`${fixtures}/src/${name}`);
        for (const [offset, length] of [
          [0, 4096],
          [4096, 1 << 20],
          [100, 50],
        ] as const) {
          const bytes = await fileSystem.read(node, NO_HANDLE, offset, length, false, (size) =>
            Buffer.alloc(size),
          );
          expect(bytes.equals(source.subarray(offset, offset + length))).toBe(true);
          for (let turn = 0; turn < pauses; turn++) {
            fileSystem.idle();
            await new Promise(setImmediate);
          }
        }
      }
    }
  }
});
