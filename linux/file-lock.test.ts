import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { tryLockFile } from './file-lock';

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'lock-'));
  file = path.join(directory, 'lock');
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** Another process that holds the lock until it is killed. */
async function holder(): Promise<{ end(): Promise<void> }> {
  const program = `
    const { tryLockFile } = require(${JSON.stringify(path.join(__dirname, 'file-lock'))});
    const lock = tryLockFile(${JSON.stringify(file)});
    process.stdout.write(lock === undefined ? 'refused' : 'locked');
    setInterval(() => lock, 1000);`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(said.toString()).toBe('locked');
  return {
    async end() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

test('the lock is created for its owner only, and is free again once it is disposed of', async () => {
  const lock = tryLockFile(file);
  expect(lock).toBeDefined();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(tryLockFile(file)).toBeUndefined();
  lock?.[Symbol.dispose]();
  const again = tryLockFile(file);
  expect(again).toBeDefined();
  again?.[Symbol.dispose]();
});

test('what another process holds is refused until that process ends, however it ends', async () => {
  const other = await holder();
  try {
    const before = (await readdir('/proc/self/fd')).length;
    expect(tryLockFile(file)).toBeUndefined();
    expect((await readdir('/proc/self/fd')).length).toBe(before);
  } finally {
    await other.end();
  }
  const lock = tryLockFile(file);
  expect(lock).toBeDefined();
  lock?.[Symbol.dispose]();
});

test('a lock in a directory that does not exist is an error', () => {
  expect(() => tryLockFile(path.join(directory, 'missing/lock'))).toThrow(/ENOENT/);
});
