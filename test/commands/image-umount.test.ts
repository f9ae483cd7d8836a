import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { mount as mountFileSystem, unmount } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import { isAlive } from '../../scripts/process/process-table';
import { imageCommand } from '../harness/image-command';
import { BackgroundMount } from '../harness/image-mounts';
import { Scratch } from '../harness/scratch';

const fixtures = resolve('test/fixtures/erofs');
const image = join(fixtures, 'lz4.erofs');
const other = join(fixtures, 'plain.erofs');

let scratch: Scratch;
let directory: string;

beforeEach(async () => {
  scratch = await Scratch.make();
  directory = scratch.in('mounted');
  await mkdir(directory);
});
afterEach(() => scratch[Symbol.asyncDispose]());

const UNMOUNTED = { exitCode: 0, stdout: '', stderr: '' };

async function sourcesHere(): Promise<string[]> {
  return (await readMountTable()).filter(({ target }) => target === directory).map(({ source }) => source);
}

/** A process that stands in the directory, as a shell does. Disposing ends it. */
async function standingIn(): Promise<AsyncDisposable> {
  const child = spawn('sh', ['-c', 'echo; exec sleep 100'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  return {
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function failure(message: string): object {
  return { exitCode: 32, stdout: '', stderr: `ishare: image umount: ${message}\n` };
}

test('when it returns, the process that served has ended', async () => {
  await using mount = await BackgroundMount.start(image, directory);
  expect(await imageCommand('umount', directory)).toEqual(UNMOUNTED);
  expect(await isAlive(mount.report.pid)).toBe(false);
  expect(await sourcesHere()).toEqual([]);
});

test('the directory may be named through a symbolic link or with a slash behind', async () => {
  await symlink(directory, scratch.in('link'));
  for (const name of [scratch.in('link'), `${directory}/`]) {
    await using _mount = await BackgroundMount.start(image, directory);
    expect(await imageCommand('umount', name)).toEqual(UNMOUNTED);
  }
});

test('what is in use stays, unless it is told to be lazy', async () => {
  await using mount = await BackgroundMount.start(image, directory);
  {
    await using _process = await standingIn();
    expect(await imageCommand('umount', directory)).toEqual(failure(`${directory}: target is busy`));
    expect(await readdir(directory)).toContain('a.txt');
    expect(await imageCommand('umount', '--lazy', directory)).toEqual(UNMOUNTED);
    expect(await sourcesHere()).toEqual([]);
    expect(await isAlive(mount.report.pid)).toBe(true);
  }
});

test('of mounts that are stacked, the topmost goes first', async () => {
  await using _below = await BackgroundMount.start(image, directory);
  await using _above = await BackgroundMount.start(other, directory);
  expect(await sourcesHere()).toEqual([image, other]);
  expect(await imageCommand('umount', directory)).toEqual(UNMOUNTED);
  expect(await sourcesHere()).toEqual([image]);
  expect(await imageCommand('umount', directory)).toEqual(UNMOUNTED);
  expect(await sourcesHere()).toEqual([]);
});

test('one that is also mounted elsewhere is served on there', async () => {
  await using _mount = await BackgroundMount.start(image, directory);
  const elsewhere = scratch.in('elsewhere');
  await mkdir(elsewhere);
  mountFileSystem(directory, elsewhere, null, 4096, '');
  const { exitCode, stderr } = await imageCommand('umount', directory);
  expect({ exitCode, stderr }).toEqual({
    exitCode: 0,
    stderr: `ishare: image umount: ${directory}: unmounted, but the same mount is also at another place, and is served on\n`,
  });
  expect(await readdir(elsewhere)).toContain('a.txt');
  expect(await imageCommand('umount', elsewhere)).toEqual(UNMOUNTED);
});

test('a mount whose process was killed goes too', async () => {
  await using mount = await BackgroundMount.start(image, directory);
  process.kill(mount.report.pid, 'SIGKILL');
  expect(await imageCommand('umount', directory)).toEqual(UNMOUNTED);
  expect(await sourcesHere()).toEqual([]);
});

test('a mount whose process does not answer is unmounted without asking it', async () => {
  await using mount = await BackgroundMount.start(image, directory);
  process.kill(mount.report.pid, 'SIGSTOP');
  try {
    expect(await imageCommand('umount', '--lazy', directory)).toEqual(UNMOUNTED);
    expect(await sourcesHere()).toEqual([]);
  } finally {
    process.kill(mount.report.pid, 'SIGCONT');
  }
});

test('what is not mounted cannot be unmounted, nor twice', async () => {
  expect(await imageCommand('umount', directory)).toEqual(failure(`${directory}: not mounted`));
  const missing = scratch.in('missing');
  expect(await imageCommand('umount', missing)).toEqual(failure(`${missing}: no mount point specified`));
  await using _mount = await BackgroundMount.start(image, directory);
  await imageCommand('umount', directory);
  expect(await imageCommand('umount', directory)).toEqual(failure(`${directory}: not mounted`));
});

test('what somebody else has mounted stays', async () => {
  mountFileSystem('mine', directory, 'tmpfs', 0, '');
  try {
    const { exitCode, stderr } = await imageCommand('umount', directory);
    expect(exitCode).toBe(32);
    expect(stderr).toMatch(/type tmpfs, not an image that ishare has mounted/);
    expect(await sourcesHere()).toEqual(['mine']);
  } finally {
    unmount(directory);
  }
});

test('the image may be removed and made anew at once', async () => {
  const copy = scratch.in('copy.erofs');
  for (let round = 0; round < 2; round += 1) {
    await copyFile(round === 0 ? image : other, copy);
    await using _mount = await BackgroundMount.start(copy, directory);
    expect(await readdir(directory)).toContain('a.txt');
    expect(await imageCommand('umount', directory)).toEqual(UNMOUNTED);
    await rm(copy);
  }
});
