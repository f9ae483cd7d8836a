import { realtimeNs } from './clock';

test('the clock is the one of Date.now(), with nanoseconds', () => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const times = Array.from({ length: 1000 }, () => realtimeNs());
  const after = BigInt(Date.now() + 1) * 1_000_000n;
  for (const time of times) expect(before <= time && time <= after).toBe(true);
  expect(new Set(times.map((time) => time % 1_000_000n)).size).toBeGreaterThan(1);
});
