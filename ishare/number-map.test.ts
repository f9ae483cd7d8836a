import fc from 'fast-check';
import { NumberMap } from './number-map';

/** Few different ones, so that they meet again, and such as need more than 32 bits. */
const key = fc.oneof(
  fc.nat(40),
  fc.nat(40).map((low) => 2 ** 52 + 2 ** 32 * low),
  fc.maxSafeNat(),
);
const change = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('set' as const), key, value: fc.double({ noNaN: true }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fit' as const) }) },
);

const sorted = (entries: Iterable<readonly [number, number]>) => [...entries].sort(([a], [b]) => a - b);

test('it behaves as a Map does', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
      const map = new NumberMap();
      const model = new Map<number, number>();
      for (const step of changes) {
        if (step.kind === 'set') {
          map.set(step.key, step.value);
          model.set(step.key, step.value);
        } else if (step.kind === 'delete') expect(map.delete(step.key)).toBe(model.delete(step.key));
        else map.fit();
        expect(map.size).toBe(model.size);
        if (step.kind !== 'fit') expect(map.get(step.key)).toBe(model.get(step.key));
      }
      expect(sorted(map)).toEqual(sorted(model));
      for (const known of model.keys()) expect(map.has(known)).toBe(true);
    }),
  );
});

test('many keys in a row, and their deletion, leave all others where they are found', () => {
  const map = new NumberMap();
  const count = 20_000;
  for (let number = 0; number < count; number++) map.set(2 ** 52 + number * 16, number);
  const numbers = Array.from({ length: count }, (_, number) => number);
  const gone = numbers.filter((number) => number % 3 === 0 && map.delete(2 ** 52 + number * 16));
  const left = numbers.filter((number) => map.get(2 ** 52 + number * 16) === number);
  expect(gone.length + left.length).toBe(count);
  expect(map.size).toBe(left.length);
});
