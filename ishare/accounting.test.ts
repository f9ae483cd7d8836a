import fc from 'fast-check';
import {
  domainState,
  partOf,
  partsByAttachment,
  savedBytes,
  totals,
  usedBy,
  type Totals,
} from './accounting';
import type { MeasuredInode } from './inventory';

function inode(cachedBytes: number, users: readonly number[]): MeasuredInode {
  return {
    domain: 'd',
    path: 't/00',
    digest: '00',
    size: cachedBytes,
    holders: [1, 2, 3],
    users,
    openFiles: 0,
    cachedBytes,
  };
}

test('pages count once more for each further inode that opened the content', () => {
  expect(savedBytes(inode(8192, [1, 2, 3]))).toBe(16384);
  expect(savedBytes(inode(8192, [1]))).toBe(0);
});

test('what nobody has opened saves nothing, and never less than nothing', () => {
  expect(savedBytes(inode(8192, []))).toBe(0);
});

test('sums run over all inodes', () => {
  const inodes = [inode(4096, [1, 1]), inode(8192, [1, 2, 3])];
  expect(totals(inodes)).toEqual({ cachedBytes: 12288, savedBytes: 4096 + 16384 });
  expect(domainState('d', 2, inodes)).toEqual({
    name: 'd',
    images: 2,
    dedup_inodes: 2,
    cached_bytes: 12288,
    saved_bytes: 20480,
  });
});

test('users that no running container is behind count nothing', () => {
  expect(savedBytes(usedBy(inode(4096, [1, 2, 3]), new Set([1, 3])))).toBe(4096);
  expect(savedBytes(usedBy(inode(4096, [1, 2, 3]), new Set([2])))).toBe(0);
});

const ATTACHMENTS = [1, 2, 3, 4, 5];

/** Inodes with users from ATTACHMENTS. */
const someInodes = fc
  .array(
    fc.tuple(
      fc.integer({ min: 0, max: 1000 }),
      fc.array(fc.constantFrom(...ATTACHMENTS), { minLength: 1, maxLength: 8 }),
    ),
  )
  .map((list) => list.map(([pages, users]) => inode(pages * 4096, users)));

function sums(parts: readonly Totals[]): Totals {
  return parts.reduce(
    (sum, part) => ({
      cachedBytes: sum.cachedBytes + part.cachedBytes,
      savedBytes: sum.savedBytes + part.savedBytes,
    }),
    { cachedBytes: 0, savedBytes: 0 },
  );
}

/** Each part is rounded to whole bytes. */
function expectAgreement(parts: readonly Totals[], all: Totals): void {
  const { cachedBytes, savedBytes: saved } = sums(parts);
  expect(Math.abs(cachedBytes - all.cachedBytes)).toBeLessThanOrEqual(parts.length);
  expect(Math.abs(saved - all.savedBytes)).toBeLessThanOrEqual(parts.length);
}

test('the parts of all attachments add up to the totals of what is used', () => {
  fc.assert(
    fc.property(someInodes, (inodes) => {
      const parts = partsByAttachment(inodes);
      expectAgreement(
        ATTACHMENTS.map((id) => partOf([id], parts)),
        totals(inodes),
      );
    }),
  );
});

test('so do those of containers, whatever attachments they have in common', () => {
  const containers = fc.array(fc.uniqueArray(fc.constantFrom(...ATTACHMENTS), { minLength: 1 }));
  fc.assert(
    fc.property(someInodes, containers, (inodes, some) => {
      const all = [...some, ATTACHMENTS];
      const among = (id: number): number => all.filter((attachments) => attachments.includes(id)).length;
      const parts = partsByAttachment(inodes);
      expectAgreement(
        all.map((attachments) => partOf(attachments, parts, among)),
        totals(inodes),
      );
    }),
  );
});
