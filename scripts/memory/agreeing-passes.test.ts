import { agreeingPasses } from './agreeing-passes';

function passes(...values: readonly number[]): {
  readonly taken: number[];
  readonly next: () => Promise<number>;
} {
  const taken: number[] = [];
  const next = (): Promise<number> => {
    const value = values[taken.length]!;
    taken.push(value);
    return Promise.resolve(value);
  };
  return { taken, next };
}

test('two passes that agree are enough', async () => {
  const { taken, next } = passes(100, 101, 500);
  expect((await agreeingPasses(next, 0.02, 6)).value).toBe(100.5);
  expect(taken).toHaveLength(2);
});

test('passes that something disturbed, up or down, are passed over', async () => {
  const { next } = passes(300, 100, -5, 101);
  expect((await agreeingPasses(next, 0.02, 6)).value).toBe(100.5);
});

test('where none agree, the closest two count and the difference tells', async () => {
  const { taken, next } = passes(100, 200, 400, 800, 1600, 1000);
  expect(await agreeingPasses(next, 0.02, 6)).toEqual({ value: 900, difference: 0.2 });
  expect(taken).toHaveLength(6);
});
