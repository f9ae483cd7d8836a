import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { CacheBudget } from '../../erofs/cache-budget';
import { NO_BLOCK_LOW, compactInodeRecord } from '../../erofs/format/inode';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import { FINGERPRINT_LABEL } from '../../erofs/format/xattr';
import { ErofsImage, type Inode } from '../../erofs/image';
import { inodeEnd } from '../../erofs/inode';
import { MemorySource } from '../../erofs/memory-source';
import { superblockChecksum } from '../../erofs/superblock';

const fixtures = resolve('test/fixtures/erofs');
const images = readdirSync(fixtures).filter((name) => name.endsWith('.erofs'));
const sourceFiles = ['a.txt', 'dir/a-copy.txt', 'dir/part.txt', 'empty', 'rand.bin', 'small'];

async function walk(image: ErofsImage, path: string): Promise<Inode> {
  let inode = await image.inode(image.rootNid);
  for (const part of path.split('/')) {
    const found = await image.lookup(inode, Buffer.from(part));
    if (found === undefined) throw new Error(`${path}: no ${part}`);
    inode = await image.inode(found.nid);
  }
  return inode;
}

/** Samples whose content is on extra devices. */
const devicesOf: Readonly<Record<string, readonly string[]>> = {
  'chunk-blobdev.erofs': [join(fixtures, 'chunk-blobdev.blob')],
  'tar-i.erofs': [join(fixtures, 'src.tar')],
};

describe.each(images)('%s', (name) => {
  let image: ErofsImage;
  beforeAll(async () => {
    image = await ErofsImage.open(join(fixtures, name), {
      budget: new CacheBudget(100_000),
      label: name,
      devices: devicesOf[name] ?? [],
    });
  });
  afterAll(() => image[Symbol.asyncDispose]());

  it('holds the bytes of its source', async () => {
    for (const path of sourceFiles) {
      const inode = await walk(image, path);
      const source = readFileSync(join(fixtures, 'src', path));
      expect(inode.size).toBe(source.length);
      expect((await image.read(inode, 0, inode.size)).equals(source)).toBe(true);
    }
    expect((await image.readlink(await walk(image, 'link'))).toString()).toBe('a.txt');
  });

  it('gives any part of a file, and nothing behind its end', async () => {
    for (const path of ['dir/part.txt', 'small', 'empty']) {
      const inode = await walk(image, path);
      const source = readFileSync(join(fixtures, 'src', path));
      await fc.assert(
        fc.asyncProperty(fc.nat(40_000), fc.nat(40_000), async (offset, length) => {
          const part = await image.read(inode, offset, length);
          expect(part.equals(source.subarray(offset, offset + length))).toBe(true);
        }),
        { numRuns: 50 },
      );
    }
    const inode = await walk(image, 'small');
    expect(await image.read(inode, 5, Number.MAX_SAFE_INTEGER)).toHaveLength(7);
    expect(await image.read(inode, Number.MAX_SAFE_INTEGER, 5)).toHaveLength(0);
  });

  it('walks every file once', async () => {
    const digests: string[] = [];
    for await (const inode of image.files()) digests.push(digest(await image.read(inode, 0, inode.size)));
    const expected = sourceFiles.map((path) => digest(readFileSync(join(fixtures, 'src', path))));
    expect(digests.sort()).toEqual(expected.sort());
  });

  it('resumes a directory from any cookie', async () => {
    const root = await image.inode(image.rootNid);
    const all = await image.entriesFrom(root, 0, 1000);
    expect(all.map(({ name: bytes }) => bytes.toString())).toEqual([
      '.',
      '..',
      'a.txt',
      'dir',
      'empty',
      'link',
      'rand.bin',
      'small',
    ]);
    for (const [index, { nextCookie }] of all.entries()) {
      expect(await image.entriesFrom(root, nextCookie, 1000)).toEqual(all.slice(index + 1));
      expect(await image.entriesFrom(root, nextCookie, 1)).toEqual(all.slice(index + 1, index + 2));
    }
    expect(await image.entriesFrom(root, 0, 0)).toEqual([]);
    expect(await image.entriesFrom(root, 1_000_000_000, 10)).toEqual([]);
  });

  it('finds no name that is not there', async () => {
    const root = await image.inode(image.rootNid);
    const names = new Set(['.', '..', 'a.txt', 'dir', 'empty', 'link', 'rand.bin', 'small']);
    for (const absent of ['', 'a', 'a.tx', 'a.txt2', 'zzz', '!', 'x'.repeat(255), '/']) {
      expect(await image.lookup(root, Buffer.from(absent))).toBeUndefined();
    }
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 8 }), async (text) => {
        expect((await image.lookup(root, Buffer.from(text))) !== undefined).toBe(names.has(text));
      }),
    );
  });

  it('answers questions that do not fit the inode with the errno of Linux', async () => {
    const [root, file, link] = [
      await image.inode(image.rootNid),
      await walk(image, 'small'),
      await walk(image, 'link'),
    ];
    await expect(image.read(root, 0, 1)).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(image.read(link, 0, 1)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(image.read(file, -1, 1)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(image.readlink(file)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(image.lookup(file, Buffer.from('x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(image.entriesFrom(file, 0, 1)).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(image.entriesFrom(root, -1, 1)).rejects.toMatchObject({ code: 'EINVAL' });
  });
});

describe('extended attributes of the samples', () => {
  it.each(['plain', 'xattr-prefix', 'plain-fp'])('in %s are found by name, and no others', async (name) => {
    await using image = await ErofsImage.open(join(fixtures, `${name}.erofs`));
    const small = await walk(image, 'small');
    expect(await image.getXattr(small, Buffer.from('user.anchor.note'))).toEqual(Buffer.from('hi'));
    const absent = [
      'user.anchor.not',
      'user.anchor.',
      'user.',
      'trusted.anchor.note',
      'user.anchor.note2',
      'x',
      '',
    ];
    for (const other of absent) expect(await image.getXattr(small, Buffer.from(other))).toBeUndefined();
    expect(await image.getXattr(await walk(image, 'a.txt'), Buffer.from('user.anchor.note'))).toBeUndefined();
  });

  it.each(['plain-fp', 'plain-fp-default'])(
    'in %s the fingerprint is the digest of the content',
    async (name) => {
      await using image = await ErofsImage.open(join(fixtures, `${name}.erofs`));
      for await (const inode of image.files()) {
        const expected = Buffer.concat([
          Buffer.from(FINGERPRINT_LABEL),
          createHash('sha256')
            .update(await image.read(inode, 0, inode.size))
            .digest(),
        ]);
        expect(await image.fingerprint(inode)).toEqual(inode.size === 0 ? undefined : expected);
      }
      expect(await image.fingerprint(await image.inode(image.rootNid))).toBeUndefined();
    },
  );

  it('a fingerprint that the image hides is neither listed nor found by name', async () => {
    await using hidden = await ErofsImage.open(join(fixtures, 'plain-fp-default.erofs'));
    const file = await walk(hidden, 'a.txt');
    expect(await hidden.xattrs(file)).toEqual([]);
    expect(await hidden.getXattr(file, Buffer.from('erofs.fingerprint.v1'))).toBeUndefined();
    await using named = await ErofsImage.open(join(fixtures, 'plain-fp.erofs'));
    const names = (await named.xattrs(await walk(named, 'a.txt'))).map(({ name }) => name.toString());
    expect(names).toEqual(['trusted.erofs.fingerprint']);
  });

  it('an image without the feature has no fingerprints', async () => {
    await using image = await ErofsImage.open(join(fixtures, 'plain.erofs'));
    expect(await image.fingerprint(await walk(image, 'small'))).toBeUndefined();
  });
});

describe('a chunk-based sample', () => {
  it.each(Object.keys(devicesOf))('%s says which device it misses', async (name) => {
    await using image = await ErofsImage.open(join(fixtures, name));
    const file = await walk(image, 'a.txt');
    await expect(image.read(file, 0, 10)).rejects.toMatchObject({
      code: 'EOPNOTSUPP',
      nid: file.nid,
      message: /extra device 1/,
    });
  });

  it('opens only with all its devices or none', async () => {
    const tar = join(fixtures, 'src.tar');
    await expect(
      ErofsImage.open(join(fixtures, 'tar-i.erofs'), { devices: [tar, tar] }),
    ).rejects.toMatchObject({
      code: 'EINVAL',
    });
    await expect(ErofsImage.open(join(fixtures, 'plain.erofs'), { devices: [tar] })).rejects.toMatchObject({
      code: 'EINVAL',
    });
  });

  it('finds its device where the image has swallowed it', async () => {
    // mkfs gives the device the addresses behind the image, so that both together are one flat image.
    const flat = Buffer.concat([
      readFileSync(join(fixtures, 'chunk-blobdev.erofs')),
      readFileSync(join(fixtures, 'chunk-blobdev.blob')),
    ]);
    const memory = new MemorySource(flat, 'flat');
    await using image = await ErofsImage.fromSources(memory, memory);
    const file = await walk(image, 'dir/part.txt');
    const source = readFileSync(join(fixtures, 'src', 'dir', 'part.txt'));
    expect((await image.read(file, 0, file.size)).equals(source)).toBe(true);
  });
});

describe('holes', () => {
  it('of chunks read as zeroes', async () => {
    const bytes = readFileSync(join(fixtures, 'chunk.erofs'));
    const memory = new MemorySource(bytes, 'chunks');
    await using image = await ErofsImage.fromSources(memory, memory);
    const file = await walk(image, 'a.txt');
    const source = readFileSync(join(fixtures, 'src', 'a.txt'));
    // A 4-byte block address for each chunk of 8 blocks: the second one becomes a hole.
    expect(file.chunkFormat).toBe(3);
    const chunk = 8 * 4096;
    bytes.fill(0xff, inodeEnd(file) + 4, inodeEnd(file) + 8);
    source.fill(0, chunk, 2 * chunk);
    expect((await image.read(file, 0, file.size)).equals(source)).toBe(true);
    const middle = await image.read(file, chunk - 100, 5000);
    expect(middle.equals(source.subarray(chunk - 100, chunk + 4900))).toBe(true);
  });

  it('of flat files without a start block read as zeroes', async () => {
    const bytes = readFileSync(join(fixtures, 'plain-noinline.erofs'));
    const memory = new MemorySource(bytes, 'flat');
    await using sound = await ErofsImage.fromSources(memory, memory);
    const { nid } = await walk(sound, 'rand.bin');
    compactInodeRecord.fields.startBlockLow.write(
      bytes,
      sound.superblock.metaOffset + nid * 32,
      NO_BLOCK_LOW,
    );
    superblockRecord.fields.checksum.write(bytes, SUPERBLOCK_OFFSET, superblockChecksum(bytes, 4096));
    await using image = await ErofsImage.fromSources(memory, memory);
    const file = await image.inode(nid);
    expect((await image.read(file, 0, file.size)).equals(Buffer.alloc(20_000))).toBe(true);
  });
});

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
