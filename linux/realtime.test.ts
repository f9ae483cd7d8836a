import { Worker } from 'node:worker_threads';
import path from 'node:path';
import { schedulingPolicy } from './testing/scheduling';
import { makeRealtime } from './realtime';
import { threadIds } from './threads';

const [ORDINARY, ROUND_ROBIN] = [0, 2];

/** Makes its own thread one of real time, starts another, and waits. */
const PROGRAM = `
  const { parentPort, Worker } = require('node:worker_threads');
  require(${JSON.stringify(path.join(__dirname, 'realtime'))}).makeRealtime(0);
  const inner = new Worker('setInterval(() => {}, 1000)', { eval: true });
  inner.on('online', () => parentPort.postMessage('ready'));`;

test('the thread that calls runs in real time; those that it starts do not, nor do others', async () => {
  const before = threadIds();
  const worker = new Worker(PROGRAM, { eval: true });
  try {
    await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const started = threadIds().filter((thread) => !before.includes(thread));
    const policies = started.map((thread) => schedulingPolicy(process.pid, thread));
    expect(policies.filter((policy) => policy === ROUND_ROBIN)).toHaveLength(1);
    expect(policies.filter((policy) => policy === ORDINARY).length).toBeGreaterThan(0);
    expect(schedulingPolicy(process.pid, process.pid)).toBe(ORDINARY);
  } finally {
    await worker.terminate();
  }
});

test('a thread that has ended is told', () => {
  // Beyond the largest number that a thread can have (kernel/pid.c, PID_MAX_LIMIT).
  expect(() => makeRealtime(1 << 22)).toThrow('sched_setscheduler thread 4194304: ESRCH');
});
