import { readFile } from 'node:fs/promises';
import { DisturbedError, undisturbed } from './undisturbed';

test('what nobody disturbs is measured once', async () => {
  let calls = 0;
  const count = (): Promise<number> => Promise.resolve(++calls);
  expect(await undisturbed(count, 0)).toBe(1);
});

test('what is disturbed each time is given up', async () => {
  let calls = 0;
  const count = (): Promise<number> => Promise.resolve(++calls);
  // As if somebody else had to drop caches a million times for it.
  await expect(undisturbed(count, 1e6)).rejects.toThrow(DisturbedError);
  expect(calls).toBe(4);
});

test('the kernel counts what is dropped', async () => {
  expect(await readFile('/proc/vmstat', 'utf8')).toMatch(/^drop_pagecache \d+$/m);
});
