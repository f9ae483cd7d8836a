import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Descriptor } from './descriptor';
import { Readiness } from './readiness';

let directory: string;
let reading: Descriptor;
let writing: number;
let readiness: Readiness;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'readiness-'));
  const fifo = path.join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  reading = new Descriptor(openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK), 'fifo');
  writing = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  readiness = new Readiness(reading);
});

afterEach(() => {
  readiness.cancel();
  readiness[Symbol.dispose]();
  reading[Symbol.dispose]();
  closeSync(writing);
  rmSync(directory, { recursive: true });
});

const drain = (): number => readSync(reading.number, Buffer.alloc(100));

test('it waits until there is something to read', async () => {
  let done = false;
  const ready = readiness.wait().then((outcome) => {
    done = true;
    return outcome;
  });
  await stat('/');
  expect(done).toBe(false);
  writeSync(writing, 'x');
  expect(await ready).toBe('ready');
});

test('it may wait again and again', async () => {
  for (let time = 0; time < 100; time += 1) {
    const ready = readiness.wait();
    writeSync(writing, `${time}`);
    expect(await ready).toBe('ready');
    drain();
  }
});

test('what came before the wait, or was left over by the last one, is not missed', async () => {
  writeSync(writing, 'x');
  expect(await readiness.wait()).toBe('ready');
  expect(await readiness.wait()).toBe('ready');
  drain();
  let done = false;
  const ready = readiness.wait().then(() => (done = true));
  await stat('/');
  expect(done).toBe(false);
  writeSync(writing, 'y');
  await ready;
});

test('cancelling ends the wait in progress', async () => {
  const waiting = readiness.wait();
  readiness.cancel();
  expect(await waiting).toBe('cancelled');
});

test('cancelling ends every later wait, and may be done twice', async () => {
  readiness.cancel();
  readiness.cancel();
  writeSync(writing, 'x');
  expect(await readiness.wait()).toBe('cancelled');
  expect(await readiness.wait()).toBe('cancelled');
});

test('there is one waiter at a time', async () => {
  const waiting = readiness.wait();
  expect(() => readiness.wait()).toThrow(/one waiter at a time/);
  readiness.cancel();
  await waiting;
});

test('it cannot be disposed of while somebody waits, and twice otherwise', async () => {
  const waiting = readiness.wait();
  expect(() => readiness[Symbol.dispose]()).toThrow(/while waiting/);
  readiness.cancel();
  await waiting;
  readiness[Symbol.dispose]();
  readiness[Symbol.dispose]();
  expect(await readiness.wait()).toBe('cancelled');
});

test('the end of the other side counts as ready', async () => {
  const ready = readiness.wait();
  closeSync(writing);
  try {
    expect(await ready).toBe('ready');
  } finally {
    writing = openSync(path.join(directory, 'fifo'), constants.O_WRONLY | constants.O_NONBLOCK);
  }
});

test('many objects wait at once, each for its own descriptor', async () => {
  const fifo = path.join(directory, 'fifo');
  const descriptors = Array.from(
    { length: 40 },
    () => new Descriptor(openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK), 'fifo'),
  );
  const others = descriptors.map((descriptor) => new Readiness(descriptor));
  try {
    const waits = others.map((other) => other.wait());
    writeSync(writing, 'x');
    expect(new Set(await Promise.all(waits))).toEqual(new Set(['ready']));
  } finally {
    for (const other of others) {
      other.cancel();
      other[Symbol.dispose]();
    }
    for (const descriptor of descriptors) descriptor[Symbol.dispose]();
  }
});
