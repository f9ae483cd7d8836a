import { CacheBudget } from '../cache-budget';
import { ALGORITHM } from '../format/compression';
import { DecodedCache } from './decoded-cache';
import type { PclusterExtent } from './extent';

/** An extent that shows `length` bytes of the pcluster at `position`. */
function extent(position: number, length: number): PclusterExtent {
  const place = { start: 0, inline: false, size: 4096, coding: ALGORITHM.LZ4, partial: false } as const;
  return { kind: 'pcluster', position, length, ...place };
}

function bytes(length: number, value = 1): Buffer {
  return Buffer.alloc(length, value);
}

describe('the cache of decoded pclusters', () => {
  it('gives what is being decoded to all who ask, then what was decoded', async () => {
    const cache = new DecodedCache(new CacheBudget(1000));
    let finish: (decoded: Buffer) => void = () => undefined;
    const decoding = cache.add('image', extent(0, 100), new Promise<Buffer>((resolve) => (finish = resolve)));
    expect(cache.get('image', extent(0, 100))).toBe(decoding);
    expect(cache.get('image', extent(0, 101))).toBeUndefined();
    finish(bytes(100));
    await decoding;
    await Promise.resolve();
    expect(cache.get('image', extent(0, 60))).toEqual(bytes(100));
    expect(cache.get('image', extent(4096, 1))).toBeUndefined();
  });

  it('keeps the longer of two', async () => {
    const budget = new CacheBudget(1000);
    const cache = new DecodedCache(budget);
    for (const length of [50, 100, 70])
      await cache.add('image', extent(0, length), Promise.resolve(bytes(length)));
    await Promise.resolve();
    expect(cache.get('image', extent(0, 100))).toHaveLength(100);
    expect(budget.used).toBe(100);
  });

  it('keeps pclusters apart that have the same position', async () => {
    const cache = new DecodedCache(new CacheBudget(1000));
    await cache.add('image', extent(0, 100), bytes(100));
    expect(cache.get('inline', extent(0, 100))).toBeUndefined();
    expect(cache.get('image', { ...extent(0, 100), size: 8192 })).toBeUndefined();
    expect(cache.get('image', { ...extent(0, 100), coding: ALGORITHM.ZSTD })).toBeUndefined();
  });

  it('forgets a failure', async () => {
    const cache = new DecodedCache(new CacheBudget(1000));
    await expect(cache.add('image', extent(0, 10), Promise.reject(new Error('failed')))).rejects.toThrow(
      'failed',
    );
    await new Promise(setImmediate);
    expect(cache.get('image', extent(0, 10))).toBeUndefined();
  });

  it('stays within its budget, and leaves it when it is cleared', async () => {
    const budget = new CacheBudget(1000);
    const cache = new DecodedCache(budget);
    for (let index = 0; index < 30; index++) {
      await cache.add('image', extent(index, 200), Promise.resolve(bytes(200, index)));
    }
    await Promise.resolve();
    expect(budget.used).toBeLessThanOrEqual(1000);
    expect(cache.get('image', extent(29, 200))).toEqual(bytes(200, 29));
    const late = cache.add('image', extent(99, 10), Promise.resolve(bytes(10)));
    cache.clear();
    await late;
    await Promise.resolve();
    expect(budget.used).toBe(0);
    expect(cache.get('image', extent(29, 200))).toBeUndefined();
  });
});
