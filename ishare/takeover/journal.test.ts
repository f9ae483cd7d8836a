import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import type { BackingId, NodeId } from '../../fuse/file-system';
import { TakeoverJournal } from './journal';

const RESENT = 1n << 63n;
const node = (value: number): NodeId => value as NodeId;
const id = (value: number): BackingId => value as BackingId;

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'journal-'));
  file = path.join(directory, 'journal');
});

afterEach(() => rmSync(directory, { recursive: true }));

/** As the next process sees it, while this one has not closed it. */
function reread(): TakeoverJournal {
  const journal = TakeoverJournal.open(file);
  if (journal === undefined) throw new Error('no journal');
  return journal;
}

test('what was opened, registered and made is there for the next process, whatever came between', () => {
  const numbers = fc.integer({ min: 1, max: 6 }).map((value) => value * 2 ** 40 + value);
  const step = fc.record({
    what: fc.constantFrom('open', 'close', 'register', 'unregister', 'own', 'own gone'),
    at: numbers,
    other: numbers,
  });
  let unique = 2n;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      using journal = TakeoverJournal.create(file);
      const opens = new Map<number, { count: number; dedupNode: number }>();
      const backings = new Map<number, number>();
      const owns = new Map<number, number>();
      for (const { what, at, other } of steps) {
        unique += 2n;
        switch (what) {
          case 'open': {
            const known = opens.get(at) ?? { count: 0, dedupNode: other };
            opens.set(at, { ...known, count: known.count + 1 });
            journal.opened(node(at), node(known.dedupNode), unique);
            break;
          }
          case 'close': {
            const known = opens.get(at);
            if (known === undefined) break;
            if (known.count > 1) opens.set(at, { ...known, count: known.count - 1 });
            else opens.delete(at);
            journal.closed(node(at), unique);
            break;
          }
          case 'register':
            backings.set(at, other % 1000);
            journal.registered(node(at), id(other % 1000));
            break;
          case 'unregister':
            backings.delete(at);
            journal.unregistered(node(at));
            break;
          case 'own':
            owns.set(at, other);
            journal.ownMade(node(at), node(other));
            break;
          case 'own gone':
            owns.delete(at);
            journal.ownGone(node(at));
        }
      }
      using next = reread();
      for (const each of [journal, next]) {
        expect(new Map([...each.opens()].map(({ node: at, ...rest }) => [at, rest]))).toEqual(opens);
        expect(new Map([...each.backings()].map((record) => [record.dedupNode, record.id]))).toEqual(
          backings,
        );
        expect(new Map([...each.owns()].map((record) => [record.dedupNode, record.node]))).toEqual(owns);
      }
    }),
    { numRuns: 60 },
  );
});

test('a request that comes again is known by its number, where its effect is in the journal', () => {
  using journal = TakeoverJournal.create(file);
  journal.opened(node(5), undefined, 1000n);
  journal.closed(node(5), 1002n);
  using next = reread();
  expect(next.answered(1000n | RESENT)).toBe(true);
  expect(next.answered(1002n | RESENT)).toBe(true);
  expect(next.answered(1004n | RESENT)).toBe(false);
  // The same number without the mark is another request, of a kernel that has started to count again.
  expect(next.answered(1000n)).toBe(false);
});

test('a file that is open without a dedup inode is one of none', () => {
  using journal = TakeoverJournal.create(file);
  journal.opened(node(7), undefined, 2n);
  using next = reread();
  expect([...next.opens()]).toEqual([{ node: 7, dedupNode: undefined, count: 1 }]);
});

test('what is no journal of this version is none', () => {
  writeFileSync(file, 'something else');
  expect(TakeoverJournal.open(file)).toBeUndefined();
});
