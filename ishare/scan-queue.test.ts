import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../linux/testing/eventually';
import { ScanQueue, type Scan, type ScansDone } from './scan-queue';

const NEVER = new Promise<void>(() => undefined);

function scan(name: string, log: string[], unwanted = NEVER): Scan {
  return {
    unwanted,
    run: async (breathe) => {
      log.push(`${name} begins`);
      await breathe();
      log.push(`${name} ends`);
      return 1;
    },
  };
}

/** Long enough for what is going to happen, unless the machine is very busy: then a test sees less than it might. */
const A_WHILE_MS = 50;

test('scans come one after the other', async () => {
  const queue = new ScanQueue();
  const log: string[] = [];
  await Promise.all([queue.run(scan('a', log)), queue.run(scan('b', log))]);
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
});

test('a scan that fails does not keep the next one from its turn', async () => {
  const queue = new ScanQueue();
  const log: string[] = [];
  const failing = queue.run({ unwanted: NEVER, run: () => Promise.reject(new Error('unreadable')) });
  const next = queue.run(scan('b', log));
  await expect(failing).rejects.toThrow('unreadable');
  await next;
  expect(log).toEqual(['b begins', 'b ends']);
});

test('scans neither begin nor go on while an image is being attached', async () => {
  const queue = new ScanQueue();
  const log: string[] = [];
  let attached: () => void = () => undefined;
  const underWay = new Promise<void>((resolve) => (attached = resolve));
  const running = queue.run({
    unwanted: NEVER,
    run: async (breathe) => {
      log.push('begins');
      const attaching = queue.whileAttaching(() => underWay);
      await breathe();
      log.push('goes on');
      await attaching;
      return 1;
    },
  });
  const waiting = queue.run(scan('b', log));
  await eventually('the first scan has begun', () => log.length > 0);
  await pause(A_WHILE_MS);
  expect(log).toEqual(['begins']);
  attached();
  await Promise.all([running, waiting]);
  expect(log).toEqual(['begins', 'goes on', 'b begins', 'b ends']);
});

test('a scan that is not wanted any more waits neither for others nor for what is being attached', async () => {
  const queue = new ScanQueue();
  const log: string[] = [];
  void queue.whileAttaching(() => NEVER);
  void queue.run(scan('a', log));
  let leave: () => void = () => undefined;
  const unwanted = new Promise<void>((resolve) => (leave = resolve));
  const scanned = queue.run(scan('b', log, unwanted));
  leave();
  await scanned;
  expect(log).toEqual(['b begins', 'b ends']);
});

test('when no scan is left, it tells what was scanned since the last time', async () => {
  const told: ScansDone[] = [];
  const queue = new ScanQueue((done) => told.push(done));
  const failing = queue.run({ unwanted: NEVER, run: () => Promise.reject(new Error('unreadable')) });
  await Promise.allSettled([failing, queue.run(scan('b', [])), queue.run(scan('c', []))]);
  await queue.run(scan('d', []));
  expect(told).toEqual([
    { images: 3, files: 2 },
    { images: 1, files: 1 },
  ]);
});
