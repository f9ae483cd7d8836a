import { CacheBudget, type CacheEntry } from './cache-budget';

class Sample implements CacheEntry {
  touched = false;
  evicted = 0;

  constructor(readonly weight: number) {}

  evict(): void {
    this.evicted++;
  }
}

function filled(budget: CacheBudget, count: number, weight: number): Sample[] {
  const entries = Array.from({ length: count }, () => new Sample(weight));
  for (const entry of entries) budget.add(entry);
  return entries;
}

describe('a budget of caches', () => {
  it('evicts the oldest first', () => {
    const budget = new CacheBudget(100);
    const entries = filled(budget, 12, 10);
    expect(entries.map(({ evicted }) => evicted)).toEqual([1, 1, ...Array<number>(10).fill(0)]);
    expect(budget.used).toBe(100);
  });

  it('evicts everything at once, and goes on from there', () => {
    const budget = new CacheBudget(100);
    const old = filled(budget, 10, 10);
    budget.clear();
    expect(old.every(({ evicted }) => evicted === 1)).toBe(true);
    expect(budget.used).toBe(0);
    const entries = filled(budget, 11, 10);
    expect(entries.map(({ evicted }) => evicted)).toEqual([1, ...Array<number>(10).fill(0)]);
  });

  it('keeps what is new, also where all the rest was touched', () => {
    const budget = new CacheBudget(100);
    const old = filled(budget, 10, 10);
    for (const entry of old) entry.touched = true;
    const [added] = filled(budget, 1, 10);
    expect(added?.evicted).toBe(0);
    expect(old.filter(({ evicted }) => evicted > 0)).toHaveLength(1);
  });

  it('spares what is touched again and again', () => {
    const budget = new CacheBudget(100);
    const [first] = filled(budget, 10, 10);
    for (let turn = 0; turn < 50; turn++) {
      first!.touched = true;
      filled(budget, 1, 10);
    }
    expect(first?.evicted).toBe(0);
  });

  it('takes nothing in that is above its limit, and evicts nobody for it', () => {
    const budget = new CacheBudget(100);
    const entries = filled(budget, 10, 10);
    const [huge] = filled(budget, 1, 101);
    expect(huge?.evicted).toBe(1);
    expect(entries.every(({ evicted }) => evicted === 0)).toBe(true);
    expect(budget.used).toBe(100);
  });

  it('forgets what its cache drops, without a call', () => {
    const budget = new CacheBudget(100);
    const [entry] = filled(budget, 1, 60);
    budget.remove(entry!);
    budget.remove(entry!);
    expect(budget.used).toBe(0);
    expect(entry?.evicted).toBe(0);
  });
});
