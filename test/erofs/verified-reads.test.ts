import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeSync, copyFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildImage, type CompressionOptions } from '../../erofs/build';
import type { DigestTableFile } from '../../erofs/digests/digest-table';
import { recordDigests } from '../../erofs/digests/testing/recorded-image';
import { UnitHasher } from '../../erofs/digests/unit-hasher';
import { ErofsDigestError } from '../../erofs/errors';
import { DIGEST_UNIT } from '../../erofs/format/digest-table';
import { ErofsImage, type DataExtent, type Inode } from '../../erofs/image';
import { Pseudorandom, makeCompressibleTree } from './compressible-tree';
import { devicesOf, sampleNames } from './damaged-image';
import { TemporaryDirectory } from './temporary-directory';
import { describeImage } from './tree-description';
import { LONG } from '../../linux/testing/long-trials';

const fixtures = resolve('test/fixtures/erofs');
/** Not a multiple of anything. */
const PART_BYTES = 20_011;

let hasher: UnitHasher;
beforeAll(() => {
  hasher = new UnitHasher();
});
afterAll(() => hasher[Symbol.asyncDispose]());

/** An image file with one bit changed, until it is disposed of. */
class FlippedBit implements Disposable {
  constructor(
    private readonly path: string,
    private readonly at: number,
    private readonly bit: number,
  ) {
    this.#flip();
  }

  /** First byte of the unit that it is in. */
  get unit(): number {
    return this.at - (this.at % DIGEST_UNIT);
  }

  [Symbol.dispose](): void {
    this.#flip();
  }

  #flip(): void {
    const fd = openSync(this.path, 'r+');
    try {
      const byte = Buffer.alloc(1);
      readSync(fd, byte, 0, 1, this.at);
      byte[0]! ^= 1 << this.bit;
      writeSync(fd, byte, 0, 1, this.at);
    } finally {
      closeSync(fd);
    }
  }
}

/** A file of an image, and what it is to hold. */
interface KnownFile {
  readonly inode: Inode;
  readonly content: Buffer;
  readonly extents: readonly DataExtent[];
}

async function knownFiles(image: ErofsImage): Promise<KnownFile[]> {
  const files: KnownFile[] = [];
  for await (const inode of image.files()) {
    const extents: DataExtent[] = [];
    for await (const extent of image.extents(inode)) extents.push(extent);
    files.push({ inode, content: Buffer.from(await image.read(inode, 0, inode.size)), extents });
  }
  return files;
}

/** Whether an extent has bytes among the blocks of the image that are in the unit. */
function touches(extent: DataExtent, unit: number): boolean {
  if (extent.kind === 'hole' || extent.kind === 'fragment' || extent.inline) return false;
  if (extent.kind === 'stored' && extent.device !== 0) return false;
  const size = extent.kind === 'stored' ? extent.length : extent.size;
  return extent.position < unit + DIGEST_UNIT && extent.position + size > unit;
}

/** An extent in parts that can be read by themselves: only what is stored as it is can be cut. */
function partsOf(extent: DataExtent): DataExtent[] {
  if (extent.kind !== 'stored') return [extent];
  const { start, length, position } = extent;
  return Array.from({ length: Math.ceil(length / PART_BYTES) }, (_, part) => {
    const skip = part * PART_BYTES;
    return {
      ...extent,
      start: start + skip,
      position: position + skip,
      length: Math.min(PART_BYTES, length - skip),
    };
  });
}

/** Reads a part of a file: the right bytes, or undefined where the unit's digest was wrong. Fails on all else. */
async function readUnless(
  image: ErofsImage,
  { inode, content }: KnownFile,
  [start, length]: readonly [number, number],
  unit: number,
): Promise<Buffer | undefined> {
  try {
    const fresh = await image.inode(inode.nid);
    const bytes = await image.read(fresh, start, length);
    expect(bytes.equals(content.subarray(start, start + length))).toBe(true);
    return bytes;
  } catch (error) {
    expect(error).toBeInstanceOf(ErofsDigestError);
    expect(error).toMatchObject({ offset: unit, field: 'image', code: 'EIO' });
    return undefined;
  }
}

describe.each(sampleNames)('%s, read with digests', (name) => {
  let directory: TemporaryDirectory;
  let digests: DigestTableFile;
  let path: string;
  const devices = (devicesOf[name] ?? []).map((device) => join(fixtures, device));
  beforeAll(async () => {
    directory = new TemporaryDirectory();
    path = directory.join('image');
    copyFileSync(join(fixtures, name), path);
    digests = await recordDigests(path, directory.join('table'));
  });
  afterAll(() => directory[Symbol.dispose]());

  test('is what it is without', async () => {
    await using plain = await ErofsImage.open(path, { devices });
    await using verified = await ErofsImage.open(path, { devices, digests });
    expect(await describeImage(verified)).toEqual(await describeImage(plain));
  });

  test('gives right bytes or an error of the unit in which a bit was changed', async () => {
    await using plain = await ErofsImage.open(path, { devices });
    const files = await knownFiles(plain);
    const random = new Pseudorandom(name.length);
    const { length } = readFileSync(path);
    for (let trial = 0; trial < (LONG ? 60 : 6); trial++) {
      using bit = new FlippedBit(path, random.below(length), random.below(8));
      const opening = ErofsImage.open(path, { devices, digests: { ...digests, hasher } });
      let image: ErofsImage;
      try {
        image = await opening;
      } catch (error) {
        expect(error).toBeInstanceOf(ErofsDigestError);
        expect(error).toMatchObject({ offset: bit.unit });
        continue;
      }
      await using _image = image;
      for (const known of files) {
        const bytes = await readUnless(image, known, [0, known.inode.size], bit.unit);
        if (known.extents.some((extent) => touches(extent, bit.unit))) expect(bytes).toBeUndefined();
      }
    }
  });
});

const lz4: CompressionOptions = { encoder: 'lz4', pclusterSize: 16_384, inlineTails: true, rules: [] };
const zstd: CompressionOptions = { ...lz4, encoder: 'zstd', pclusterSize: 131_072 };

describe.each([
  ['plain', undefined],
  ['LZ4', lz4],
  ['Zstandard, large clusters', zstd],
])('an image that was built (%s), with a bit changed among its file blocks', (_how, compression) => {
  let directory: TemporaryDirectory;
  let path: string;
  let digests: DigestTableFile;
  let files: KnownFile[];
  /** Bytes at the start of the image whose units hold nothing but blocks of files, but for the superblock's. */
  let blocks: number;
  beforeAll(async () => {
    directory = new TemporaryDirectory();
    mkdirSync(directory.join('source'));
    makeCompressibleTree(directory.join('source'));
    path = directory.join('image');
    const built = await buildImage({
      source: { directory: directory.join('source'), overlay: false },
      target: path,
      digests: directory.join('table'),
      compression,
    });
    digests = { path: directory.join('table'), root: built.digestsRoot! };
    // Metadata is cached in pieces of two units.
    blocks = Math.floor((built.bytes - built.metadataBytes) / (2 * DIGEST_UNIT)) * 2 * DIGEST_UNIT;
    await using image = await ErofsImage.open(path);
    files = await knownFiles(image);
  });
  afterAll(() => directory[Symbol.dispose]());

  test('gives an error for files that it touches, and all others', async () => {
    const random = new Pseudorandom(11);
    let touched = 0;
    for (let trial = 0; trial < (LONG ? 40 : 8); trial++) {
      const at = DIGEST_UNIT + random.below(blocks - DIGEST_UNIT);
      using bit = new FlippedBit(path, at, random.below(8));
      await using image = await ErofsImage.open(path, { digests: { ...digests, hasher } });
      for (const known of files) {
        const bytes = await readUnless(image, known, [0, known.inode.size], bit.unit);
        const hit = known.extents.some((extent) => touches(extent, bit.unit));
        if (hit) touched++;
        expect(bytes === undefined).toBe(hit);
      }
    }
    expect(touched).toBeGreaterThan(0);
  });

  test('gives all of a touched file but what is in the unit', async () => {
    const random = new Pseudorandom(12);
    const large = files.filter(({ inode }) => inode.size > 500_000);
    for (let trial = 0; trial < (LONG ? 40 : 8); trial++) {
      const known = large[random.below(large.length)]!;
      const parts = known.extents.flatMap(partsOf);
      const places = parts.flatMap((part) => ('position' in part ? [part.position] : []));
      const at = places[random.below(places.length)];
      if (at === undefined || at < DIGEST_UNIT || at >= blocks) continue;
      using bit = new FlippedBit(path, at, random.below(8));
      await using image = await ErofsImage.open(path, { digests: { ...digests, hasher } });
      for (const part of parts) {
        const bytes = await readUnless(image, known, [part.start, part.length], bit.unit);
        expect(bytes === undefined).toBe(touches(part, bit.unit));
      }
    }
  });
});
