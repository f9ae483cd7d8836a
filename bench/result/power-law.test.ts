import * as fc from 'fast-check';
import { powerLaw } from './power-law';

test('points on a power law give its exponent and factor', () => {
  const positive = fc.double({ min: 0.01, max: 100, noNaN: true });
  const exponents = fc.double({ min: -3, max: 3, noNaN: true });
  fc.assert(
    fc.property(exponents, positive, (exponent, factor) => {
      const points = [1, 10, 100, 1000].map((x) => ({ x, y: factor * x ** exponent }));
      const law = powerLaw(points);
      expect(law?.exponent).toBeCloseTo(exponent, 6);
      expect(law?.factor).toBeCloseTo(factor, 4);
      expect(law?.fit).toBeCloseTo(1, 6);
    }),
  );
});

test('a level curve has the exponent 0', () => {
  expect(powerLaw([1, 2, 4].map((x) => ({ x, y: 5 })))).toMatchObject({ exponent: 0, fit: 1 });
});

test('two points, or three of which one has no logarithm, are no curve', () => {
  expect(powerLaw([1, 2].map((x) => ({ x, y: x })))).toBeUndefined();
  expect(powerLaw([0, 1, 2].map((x) => ({ x, y: x })))).toBeUndefined();
});
