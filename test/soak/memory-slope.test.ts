import fc from 'fast-check';
import { memorySlope } from './memory-slope';

const MINUTE = 60_000;

test('a line has its own slope, and no error', () => {
  const property = fc.property(
    fc.integer({ min: -1000, max: 1000 }),
    fc.integer({ min: 3, max: 50 }),
    (perMinute, count) => {
      const samples = Array.from({ length: count }, (_, index) => ({
        at: index * MINUTE,
        bytes: 5e6 + index * perMinute,
      }));
      const slope = memorySlope(samples);
      expect(slope?.bytesPerHour).toBeCloseTo(perMinute * 60, 3);
      expect(slope?.error).toBeCloseTo(0, 3);
    },
  );
  fc.assert(property);
});

test('what swings to and fro has no slope, but an error', () => {
  const swings = [0, 10, 10, 0, 0, 10, 10, 0].map((bytes, index) => ({ at: index * MINUTE, bytes }));
  const slope = memorySlope(swings);
  expect(slope?.bytesPerHour).toBeCloseTo(0, 6);
  expect(slope?.error).toBeGreaterThan(10);
});

test('what stays for a while when it has come is no slope more often than chance has it', () => {
  // Numerical Recipes' linear congruence: the same numbers each time.
  let state = 7;
  const chance = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const series = 300;
  let steep = 0;
  for (let round = 0; round < series; round += 1) {
    let stays = 0;
    const samples = Array.from({ length: 90 }, (_, index) => {
      stays = 0.64 * stays + chance() + chance() + chance() - 1.5;
      return { at: index * MINUTE, bytes: 1e6 * stays };
    });
    const { bytesPerHour, error } = memorySlope(samples)!;
    if (Math.abs(bytesPerHour) > 2 * error) steep += 1;
  }
  expect(steep / series).toBeLessThan(0.12);
});

test('two samples say nothing', () => {
  expect(
    memorySlope([
      { at: 0, bytes: 1 },
      { at: 1, bytes: 2 },
    ]),
  ).toBeUndefined();
});
