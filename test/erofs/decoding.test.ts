import { mkdirSync, writeFileSync } from 'node:fs';
import { CacheBudget } from '../../erofs/cache-budget';
import { Decoder } from '../../erofs/compression/decoder';
import { Decoding, ErofsImage, type DataExtent, type Inode } from '../../erofs/image';
import { Pseudorandom, prose } from './compressible-tree';
import { systemMkfs } from '../../erofs/testing/erofs-utils';
import { TemporaryDirectory } from './temporary-directory';

const MIB = 1024 * 1024;

describe('decoding', () => {
  let directory: TemporaryDirectory;
  let content: Buffer;
  beforeAll(() => {
    directory = new TemporaryDirectory();
    mkdirSync(directory.join('source'));
    content = prose(6 * MIB, 1);
    writeFileSync(directory.join('source', 'file'), content);
    for (const size of [65_536, MIB]) {
      systemMkfs.run('--quiet', '-zlz4hc', `-C${size}`, directory.join(`${size}`), directory.join('source'));
    }
  });
  afterAll(() => directory[Symbol.dispose]());

  interface Opened extends AsyncDisposable {
    readonly image: ErofsImage;
    readonly file: Inode;
    /** Decodes so far. */
    decodes(): number;
  }

  async function open(name: string, decoding = new Decoding()): Promise<Opened> {
    const decode = jest.spyOn(Decoder.prototype, 'decode');
    const image = await ErofsImage.open(directory.join(name), { decoding });
    const found = await image.lookup(await image.inode(image.rootNid), Buffer.from('file'));
    const file = await image.inode(found!.nid);
    decode.mockClear();
    return {
      image,
      file,
      decodes: () => decode.mock.calls.length,
      async [Symbol.asyncDispose]() {
        decode.mockRestore();
        await image[Symbol.asyncDispose]();
      },
    };
  }

  async function check({ image, file }: Opened, offset: number, length: number): Promise<void> {
    const bytes = await image.read(file, offset, length);
    expect(bytes.equals(content.subarray(offset, offset + length))).toBe(true);
  }

  test('of a cluster happens once for many small reads of it', async () => {
    await using opened = await open('65536');
    for (let offset = 8192; offset < 65_536; offset += 4096) await check(opened, offset, 4096);
    expect(opened.decodes()).toBe(1);
  });

  test('of a cluster happens once for reads at the same time', async () => {
    await using opened = await open('65536');
    await Promise.all(Array.from({ length: 14 }, (_, index) => check(opened, index * 4096, 4096)));
    expect(opened.decodes()).toBe(1);
  });

  test('of large clusters happens once each in a sequential read', async () => {
    await using opened = await open(`${MIB}`);
    for (let offset = 0; offset < content.length; offset += 128 * 1024) {
      await check(opened, offset, Math.min(128 * 1024, content.length - offset));
    }
    const each = opened.decodes();
    await using again = await open(`${MIB}`);
    await check(again, 0, content.length);
    expect(each).toBe(again.decodes());
    expect(each).toBeLessThan(6);
  });

  test('for random reads keeps to the budget, which is given back in the end', async () => {
    const budget = new CacheBudget(3 * MIB);
    const opened = await open('65536', new Decoding(budget));
    const random = new Pseudorandom(3);
    for (let trial = 0; trial < 300; trial++) {
      await check(opened, random.below(content.length - 4096), 4096);
      expect(budget.used).toBeLessThanOrEqual(budget.limit);
    }
    expect(budget.used).toBeGreaterThan(0);
    await opened[Symbol.asyncDispose]();
    expect(budget.used).toBe(0);
  });

  test.each(['65536', `${MIB}`])(
    'for random reads of 4 KiB never decodes a cluster twice in a row, in clusters of %s',
    async (name) => {
      await using opened = await open(name, new Decoding(new CacheBudget(4 * MIB)));
      const { image, file } = opened;
      const clusters: DataExtent[] = [];
      for await (const extent of image.extents(file)) if (extent.length > 8192) clusters.push(extent);
      const random = new Pseudorandom(5);
      for (let trial = 0; trial < 60; trial++) {
        const { start, length } = clusters[random.below(clusters.length)]!;
        const before = opened.decodes();
        for (let turn = 0; turn < 6; turn++) await check(opened, start + random.below(length - 4096), 4096);
        expect(opened.decodes()).toBeLessThanOrEqual(before + 1);
      }
      expect(opened.decodes()).toBeGreaterThan(1);
    },
  );

  test('works with a budget that holds no cluster at all', async () => {
    await using opened = await open('65536', new Decoding(new CacheBudget(0)));
    for (const offset of [0, 100_000, 100_000, 5 * MIB]) await check(opened, offset, 300_000);
  });
});
