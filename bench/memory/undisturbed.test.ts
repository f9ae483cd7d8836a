import { readFile } from 'node:fs/promises';
import { DisturbedError, undisturbed } from './undisturbed';

/** A kernel whose caches are dropped so often while something is measured: by the measurement itself, or by others too. */
class Kernel {
  drops = 0;
  measured = 0;

  constructor(private readonly whileMeasuring: readonly number[]) {}

  readonly count = (): Promise<number> => Promise.resolve(this.drops);

  readonly measure = (): Promise<number> => {
    this.drops += this.whileMeasuring[this.measured++] ?? NaN;
    return Promise.resolve(this.measured);
  };
}

test('a measurement is repeated until nobody else drops caches meanwhile', async () => {
  const kernel = new Kernel([2, 5, 1]);
  expect(await undisturbed(kernel.measure, kernel.count)).toBe(3);
});

test('what is disturbed each time is given up', async () => {
  const kernel = new Kernel([2, 2, 2, 2, 1]);
  await expect(undisturbed(kernel.measure, kernel.count)).rejects.toThrow(DisturbedError);
  expect(kernel.measured).toBe(4);
});

test('the kernel counts what is dropped', async () => {
  expect(await readFile('/proc/vmstat', 'utf8')).toMatch(/^drop_pagecache \d+$/m);
});
