import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { assertWhole } from './whole-trials';

const TIME = { numRuns: 10, limitMs: 50 };
const LONG_TRIAL_MS = 300;

test('a trial that is under way at the time limit is waited for', async () => {
  let [begun, ended] = [0, 0];
  const property = fc.asyncProperty(fc.nat(), async () => {
    begun += 1;
    // fast-check wants one that ends in time.
    if (begun > 1) await sleep(LONG_TRIAL_MS);
    ended += 1;
  });
  await assertWhole(property, TIME);
  expect([begun, ended]).toEqual([2, 2]);
});

test('what it finds is not lost', async () => {
  let begun = 0;
  const property = fc.asyncProperty(fc.nat(), async () => {
    begun += 1;
    if (begun === 1) return;
    await sleep(LONG_TRIAL_MS);
    throw new Error('found');
  });
  await expect(assertWhole(property, TIME)).rejects.toThrow('found');
});
