import fc from 'fast-check';
import type { ByteSource } from './byte-source';
import { CacheBudget } from './cache-budget';
import { CachedSource } from './cached-source';
import { ErofsCorruptError } from './errors';

/** A source that counts what is read of it and has nothing in memory. */
class CountingSource implements ByteSource {
  readonly label = 'counted';
  readonly reads: number[] = [];
  failure: Error | undefined;
  /** A byte that no read gets past. */
  damaged = Infinity;
  disposed = false;

  constructor(readonly bytes: Buffer) {}

  get size(): number {
    return this.bytes.length;
  }

  async read(position: number, length: number): Promise<Buffer> {
    this.reads.push(position);
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    if (this.damaged >= position && this.damaged < position + length) throw new Error('damaged');
    return Buffer.from(this.bytes.subarray(position, position + length));
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.disposed = true;
    return Promise.resolve();
  }
}

const bytes = Buffer.from(Uint8Array.from({ length: 1000 }, (_, at) => at & 0xff));

describe('CachedSource', () => {
  it('gives the bytes of its source for every range, whatever is evicted in between', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(1000), fc.nat(300)), { maxLength: 30 }),
        fc.integer({ min: 0, max: 400 }),
        async (ranges, limit) => {
          const cached = new CachedSource(new CountingSource(bytes), new CacheBudget(limit), 64);
          await Promise.all(
            ranges.map(async ([position, wanted]) => {
              const length = Math.min(wanted, bytes.length - position);
              const expected = bytes.subarray(position, position + length);
              expect(await cached.read(position, length)).toEqual(expected);
              const peeked = cached.peek(position, length);
              if (peeked !== undefined) expect(peeked).toEqual(expected);
            }),
          );
        },
      ),
    );
  });

  it('reads a piece once for all who miss it at the same time', async () => {
    const source = new CountingSource(bytes);
    const cached = new CachedSource(source, new CacheBudget(1000), 64);
    await Promise.all([cached.read(0, 10), cached.read(20, 10), cached.read(60, 10)]);
    expect(source.reads.sort((left, right) => left - right)).toEqual([0, 64]);
    expect(cached.peek(50, 20)).toEqual(bytes.subarray(50, 70));
  });

  it('keeps several sources within one budget', async () => {
    const budget = new CacheBudget(256);
    const sources = [1, 2, 3].map(() => new CachedSource(new CountingSource(bytes), budget, 64));
    for (const source of sources) {
      for (let position = 0; position < 900; position += 50) {
        await source.read(position, 10);
        expect(budget.used).toBeLessThanOrEqual(256);
      }
    }
  });

  it('keeps what is in use when others pass through', async () => {
    const source = new CountingSource(bytes);
    const cached = new CachedSource(source, new CacheBudget(640), 64);
    await cached.read(0, 10);
    for (let position = 64; position < 900; position += 64) {
      expect(cached.peek(0, 10)).toBeDefined();
      await cached.read(position, 10);
    }
    expect(source.reads.filter((position) => position === 0)).toHaveLength(1);
  });

  it('reads ahead where pieces are read one after the other', async () => {
    const source = new CountingSource(bytes);
    const cached = new CachedSource(source, new CacheBudget(2000), 64);
    for (let position = 0; position < bytes.length; position += 50) await cached.read(position, 50);
    expect(source.reads).toEqual([0, 64, 320, 576, 832]);
  });

  it('does not remember a failure', async () => {
    const source = new CountingSource(bytes);
    const cached = new CachedSource(source, new CacheBudget(256), 64);
    source.failure = new Error('disk');
    await expect(cached.read(0, 10)).rejects.toThrow('disk');
    source.failure = undefined;
    expect(await cached.read(0, 10)).toEqual(bytes.subarray(0, 10));
  });

  it('gives what is sound beside what is damaged, also where it reads ahead', async () => {
    const source = new CountingSource(bytes);
    source.damaged = 300;
    const cached = new CachedSource(source, new CacheBudget(2000), 64);
    for (let position = 0; position < 960; position += 64) {
      const reads = [cached.read(position, 64), cached.read(position + 64, 40)];
      for (const [index, read] of reads.entries()) {
        const start = position + index * 64;
        if (start === 256) await expect(read).rejects.toThrow('damaged');
        else expect(await read).toEqual(bytes.subarray(start, start + (index === 0 ? 64 : 40)));
      }
    }
  });

  it('refuses ranges outside, also when their piece is cached', async () => {
    const cached = new CachedSource(new CountingSource(bytes), new CacheBudget(2000), 64);
    await cached.read(990, 10);
    for (const [position, length] of [
      [990, 11],
      [1000, 1],
      [-1, 2],
      [0, 2000],
    ] as const) {
      expect(cached.peek(position, length)).toBeUndefined();
      await expect(cached.read(position, length)).rejects.toThrow(ErofsCorruptError);
    }
  });

  it('gives its share of the budget back and disposes of its source', async () => {
    const budget = new CacheBudget(1000);
    const source = new CountingSource(bytes);
    const cached = new CachedSource(source, budget, 64);
    await cached.read(0, 500);
    expect(budget.used).toBe(512);
    await cached[Symbol.asyncDispose]();
    expect(budget.used).toBe(0);
    expect(source.disposed).toBe(true);
  });
});
