import fc from 'fast-check';
import { CacheHistory } from './cache-history';

const PAGE = 4096;

test('whoever opens the file while its pages are there counts, early and late', () => {
  const history = new CacheHistory();
  const first = history.generation;
  history.pagesRead(0, 4 * PAGE);
  history.pagesRead(4 * PAGE, 4 * PAGE);
  const second = history.generation;
  const from = history.countedFrom(8 * PAGE);
  expect([first, second].every((generation) => generation >= from)).toBe(true);
});

test('with the last page everybody is forgotten who opened the file before', () => {
  const history = new CacheHistory();
  const before = history.generation;
  history.pagesRead(0, PAGE);
  expect(history.countedFrom(0)).toBeGreaterThan(before);
  expect(history.generation).toBeGreaterThan(before);
});

test('pages that went and came again between two questions are told by the READ that comes again', () => {
  const history = new CacheHistory();
  const before = history.generation;
  history.pagesRead(0, 8 * PAGE);
  expect(history.pagesRead(0, 8 * PAGE)).toBe(true);
  const after = history.generation;
  const from = history.countedFrom(8 * PAGE);
  expect(before).toBeLessThan(from);
  expect(after).toBeGreaterThanOrEqual(from);
});

test('while pages are older than the READ that came again, nobody is forgotten', () => {
  const history = new CacheHistory();
  const before = history.generation;
  history.pagesRead(0, 8 * PAGE);
  history.pagesRead(0, PAGE);
  expect(before).toBeGreaterThanOrEqual(history.countedFrom(8 * PAGE));
});

test('an opener whose pages had all gone never counts, where files are read from their start', () => {
  const pages = 6;
  const step = fc.oneof(
    fc.record({ read: fc.integer({ min: 1, max: pages - 1 }) }),
    fc.record({ evict: fc.integer({ min: 1, max: pages - 1 }) }),
    fc.constantFrom('evict all' as const, 'open' as const, 'ask' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const history = new CacheHistory();
      const cached = new Set<number>();
      const read = (page: number): void => {
        if (cached.has(page)) return;
        cached.add(page);
        if (history.pagesRead(page * PAGE, PAGE)) losses += 1;
      };
      let openers: { readonly generation: number; gone: boolean }[] = [];
      let losses = 0;
      // Where there was nothing, nothing goes: who has opened an empty file waits for its first page still.
      const evict = (away: readonly number[]): void => {
        if (away.filter((page) => cached.delete(page)).length === 0 || cached.size > 0) return;
        for (const opener of openers) opener.gone = true;
      };
      for (const action of steps) {
        if (action === 'open') openers.push({ generation: history.generation, gone: false });
        else if (action === 'evict all') evict([...cached]);
        else if (action === 'ask') {
          const from = history.countedFrom(cached.size * PAGE);
          // Of several losses between two questions the first one is followed.
          const lost = losses <= 1 ? openers.filter(({ gone }) => gone) : [];
          for (const { generation } of lost) expect(generation).toBeLessThan(from);
          openers = openers.filter(({ generation }) => generation >= from);
          // Whom it has missed now it does not find later either.
          for (const opener of openers) opener.gone = false;
          losses = 0;
        } else if ('read' in action) {
          read(0);
          read(action.read);
        } else evict([action.evict]);
      }
    }),
  );
});
