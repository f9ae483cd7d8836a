import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { cacheStat, dropCachedPages } from '../linux/page-cache';
import { ErofsCorruptError, ErofsUsageError } from './errors';
import { FileSource } from './file-source';

const bytes = Buffer.from(Uint8Array.from({ length: 300_001 }, (_, at) => (at * 13 + (at >>> 9)) & 0xff));
let directory: string;
let path: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'ishare-source-'));
  path = join(directory, 'file');
  writeFileSync(path, bytes, { flush: true });
});

afterAll(() => rmSync(directory, { recursive: true }));

function cachedPages(): number {
  const fd = openSync(path, 'r');
  try {
    return cacheStat(fd).cachedPages;
  } finally {
    closeSync(fd);
  }
}

describe('FileSource', () => {
  it('reads any range, also many at a time', async () => {
    await using source = await FileSource.open(path);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length), fc.nat(200_000)), { maxLength: 20 }),
        async (ranges) => {
          const reads = ranges.map(async ([position, wanted]) => {
            const length = Math.min(wanted, bytes.length - position);
            const read = await source.read(position, length);
            expect(read.equals(bytes.subarray(position, position + length))).toBe(true);
          });
          await Promise.all(reads);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('leaves no page of the file in the page cache', async () => {
    const fd = openSync(path, 'r');
    dropCachedPages(fd);
    closeSync(fd);
    await using source = await FileSource.open(path);
    await source.read(0, bytes.length);
    await source.read(5000, 10);
    expect(cachedPages()).toBe(0);
  });

  it('refuses ranges outside of the file', async () => {
    await using source = await FileSource.open(path, 'named');
    await expect(source.read(bytes.length, 1)).rejects.toThrow(ErofsCorruptError);
    await expect(source.read(bytes.length - 1, 2)).rejects.toMatchObject({
      image: 'named',
      code: 'EUCLEAN',
    });
    expect(await source.read(bytes.length, 0)).toHaveLength(0);
  });

  it('notices that the file has become shorter', async () => {
    const shrinking = join(directory, 'shrinking');
    writeFileSync(shrinking, bytes, { flush: true });
    await using source = await FileSource.open(shrinking);
    truncateSync(shrinking, 10_000);
    await expect(source.read(9_000, 2_000)).rejects.toThrow(ErofsCorruptError);
    await expect(source.read(100_000, 150_000)).rejects.toThrow(ErofsCorruptError);
  });

  it('lets reads end before it closes', async () => {
    const source = await FileSource.open(path);
    const reads = [0, 1, 2].map((index) => source.read(index * 1000, 100_000));
    await source[Symbol.asyncDispose]();
    for (const read of reads) expect(await read).toHaveLength(100_000);
    await expect(source.read(0, 1)).rejects.toThrow(/closed/);
  });

  it('opens only regular files', async () => {
    await expect(FileSource.open('/proc/self')).rejects.toThrow();
    await expect(FileSource.open('/dev/null')).rejects.toThrow(ErofsUsageError);
    await expect(FileSource.open(join(directory, 'missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('reads where there is no direct I/O', async () => {
    // proc has neither O_DIRECT nor sizes; its files read as empty, which is enough to see the fallback open.
    await using source = await FileSource.open('/proc/self/status');
    expect(source.direct).toBe(false);
  });
});
