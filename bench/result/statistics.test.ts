import { quantileOf, summarize } from './statistics';

test('the median is the middle value, or lies between the two in the middle', () => {
  expect(summarize([3, 1, 2])).toEqual({ median: 2, least: 1, greatest: 3, count: 3 });
  expect(summarize([4, 1, 3, 2]).median).toBe(2.5);
  expect(summarize([7])).toEqual({ median: 7, least: 7, greatest: 7, count: 1 });
});

test('quantiles lie on straight lines between neighbours', () => {
  const values = Array.from({ length: 101 }, (_, index) => 100 - index);
  expect(quantileOf(values, 0)).toBe(0);
  expect(quantileOf(values, 0.99)).toBeCloseTo(99);
  expect(quantileOf([10, 20], 0.25)).toBe(12.5);
});

test('nothing has no median', () => {
  expect(() => summarize([])).toThrow(RangeError);
});
