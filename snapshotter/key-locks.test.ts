import fc from 'fast-check';
import { KeyLocks } from './key-locks';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('calls that share a key never overlap, run in order, and all end', async () => {
  const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(keys, fc.boolean()), { maxLength: 12 }), async (calls) => {
      const locks = new KeyLocks();
      const running = new Set<string>();
      const order = new Map<string, number[]>();
      await Promise.all(
        calls.map(async ([taken, fails], index) => {
          const work = locks.run(taken, async () => {
            for (const key of taken) {
              expect(running.has(key)).toBe(false);
              running.add(key);
              order.set(key, [...(order.get(key) ?? []), index]);
            }
            await pause(index % 3);
            for (const key of taken) running.delete(key);
            if (fails) throw new Error('on purpose');
          });
          await (fails ? expect(work).rejects.toThrow('on purpose') : work);
        }),
      );
      for (const indexes of order.values()) expect(indexes).toEqual([...indexes].sort((a, b) => a - b));
    }),
    { numRuns: 30 },
  );
});

test('calls about different keys run side by side', async () => {
  const locks = new KeyLocks();
  let meet = (): void => undefined;
  const met = new Promise<void>((resolve) => (meet = resolve));
  await Promise.all([
    locks.run(['a'], () => met),
    locks.run(['b'], () => {
      meet();
      return Promise.resolve();
    }),
  ]);
});

test('the result of the work is the result of the call', async () => {
  expect(await new KeyLocks().run(['a', 'a'], () => Promise.resolve(42))).toBe(42);
});
