import fc from 'fast-check';
import type { ByteSource } from './byte-source';
import { CacheBudget } from './cache-budget';
import { MemorySource } from './memory-source';
import { READ_AHEAD_WINDOW, ReadAheadSource } from './read-ahead-source';

const SIZE = 20 * READ_AHEAD_WINDOW + 777;
const content = Buffer.from(Uint8Array.from({ length: SIZE }, (_, at) => (at * 31 + (at >>> 9)) & 0xff));

/** A source that counts what is read from it, and fails behind `limit`. */
class Counted implements ByteSource {
  readonly label = 'counted';
  readonly size = SIZE;
  readonly reads: number[] = [];
  closed = false;
  limit = SIZE;
  readonly #memory = new MemorySource(content, this.label);

  async read(position: number, length: number): Promise<Buffer> {
    this.reads.push(length);
    await Promise.resolve();
    if (position + length > this.limit) throw new Error('the disk failed');
    return await this.#memory.read(position, length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

function sources(): { disk: Counted; ahead: ReadAheadSource; budget: CacheBudget } {
  const disk = new Counted();
  const budget = new CacheBudget(40 * READ_AHEAD_WINDOW);
  return { disk, ahead: new ReadAheadSource(disk, budget), budget };
}

describe('reading ahead', () => {
  it('reads little where reads are far apart', async () => {
    const { disk, ahead } = sources();
    for (let turn = 0; turn < 20; turn++) await ahead.read(turn % 2 === 0 ? 0 : SIZE - 4096, 4096);
    expect(disk.reads).toEqual(Array<number>(20).fill(4096));
  });

  it.each([
    ['forwards', (step: number) => step * 4096],
    ['backwards', (step: number) => (319 - step) * 4096],
  ])('reads few times where reads go %s', async (_title, at) => {
    const { disk, ahead } = sources();
    for (let step = 0; step < 320; step++) {
      const position = at(step);
      const bytes = ahead.peek(position, 4096) ?? (await ahead.read(position, 4096));
      expect(bytes.equals(content.subarray(position, position + 4096))).toBe(true);
    }
    expect(disk.reads.length).toBeLessThan(20);
  });

  it('fetches the next window while the reader is busy with two neighbours', async () => {
    const { disk, ahead } = sources();
    for (let position = 0; position <= READ_AHEAD_WINDOW; position += 4096) await ahead.read(position, 4096);
    await new Promise(setImmediate);
    const before = disk.reads.length;
    expect(ahead.peek(2 * READ_AHEAD_WINDOW, 4096)).toBeDefined();
    expect(disk.reads.length).toBe(before + 1);
    expect(disk.reads.at(-1)).toBe(READ_AHEAD_WINDOW);
  });

  it('reads each byte once where reads cross from one window to the next', async () => {
    const { disk, ahead } = sources();
    for (let position = 0; position + 100_000 < SIZE; position += 100_000)
      await ahead.read(position, 100_000);
    const bytes = disk.reads.reduce((sum, length) => sum + length, 0);
    expect(bytes).toBeLessThan(SIZE + 2 * READ_AHEAD_WINDOW);
  });

  it('gives the right bytes, whatever is read in which order', async () => {
    const range = fc.tuple(fc.nat(SIZE - 1), fc.integer({ min: 1, max: 2 * READ_AHEAD_WINDOW }));
    const nearly = fc.tuple(fc.nat(300_000), fc.integer({ min: 1, max: 90_000 }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(range, nearly), { maxLength: 30 }), async (ranges) => {
        const { ahead } = sources();
        const checks = ranges.map(async ([position, wanted]) => {
          const length = Math.min(wanted, SIZE - position);
          expect(
            (await ahead.read(position, length)).equals(content.subarray(position, position + length)),
          ).toBe(true);
        });
        await Promise.all(checks);
      }),
      { numRuns: 60 },
    );
  });

  it('fails only where the bytes asked for cannot be read', async () => {
    const { disk, ahead } = sources();
    disk.limit = 40_000;
    for (let position = 0; position + 4096 <= disk.limit; position += 4096) await ahead.read(position, 4096);
    await expect(ahead.read(40_000, 10)).rejects.toThrow('the disk failed');
    disk.limit = SIZE;
    expect(await ahead.read(40_000, 10)).toEqual(content.subarray(40_000, 40_010));
  });

  it('counts what it holds in the budget until it is closed', async () => {
    const { disk, ahead, budget } = sources();
    for (let position = 0; position < SIZE - 4096; position += 4096) await ahead.read(position, 4096);
    expect(budget.used).toBeGreaterThan(0);
    expect(budget.used).toBeLessThanOrEqual(16 * READ_AHEAD_WINDOW);
    await ahead[Symbol.asyncDispose]();
    expect(budget.used).toBe(0);
    expect(disk.closed).toBe(true);
  });
});
