import { GenerationCache } from './generation-cache';

describe('GenerationCache', () => {
  it('keeps what was used lately and never more than its limit', () => {
    const cache = new GenerationCache<number, number>(10);
    for (let key = 0; key < 100; key++) {
      cache.set(key, key * 2);
      expect(cache.get(0)).toBe(0);
    }
    const held = Array.from({ length: 100 }, (_, key) => key).filter((key) => cache.get(key) !== undefined);
    expect(held.length).toBeLessThanOrEqual(10);
    expect(held).toEqual(expect.arrayContaining([0, 99, 98, 97]));
  });
});
