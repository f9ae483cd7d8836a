import { ReplyMemory } from './reply-memory';

test('memory is used again once the answer is written, and not before', () => {
  const memory = new ReplyMemory(4096);
  const first = memory.lease();
  const taken = first.allocate(100);
  const second = memory.lease();
  expect(second.allocate(100).buffer).not.toBe(taken.buffer);
  first.end();
  expect(memory.lease().allocate(4096).buffer).toBe(taken.buffer);
});

test('one request may take several pieces, and more than a piece holds', () => {
  const lease = new ReplyMemory(4096).lease();
  const pieces = [lease.allocate(1), lease.allocate(4096), lease.allocate(10_000)];
  expect(pieces.map(({ length }) => length)).toEqual([1, 4096, 10_000]);
  expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBe(3);
});

test('the memory of many answers at a time is not kept', () => {
  const memory = new ReplyMemory(4096);
  const leases = Array.from({ length: 50 }, () => memory.lease());
  const before = new Set(leases.map((lease) => lease.allocate(1).buffer));
  for (const lease of leases) lease.end();
  const next = memory.lease();
  const again = Array.from({ length: 50 }, () => next.allocate(1).buffer);
  const reused = again.filter((buffer) => before.has(buffer)).length;
  expect(reused).toBeGreaterThan(0);
  expect(reused).toBeLessThan(10);
});
