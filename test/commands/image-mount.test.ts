import { once } from 'node:events';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { startInBackground, type StartMessage } from '../../cmd/ishare/image/background-mount';
import { MOUNT_FAILURE } from '../../cmd/ishare/image/exit-code';
import type { MountOrder } from '../../cmd/ishare/image/mount-order';
import { ErofsImage } from '../../erofs/image';
import { resolvePath } from '../../erofs/path-resolution';
import { readMountTable, type MountEntry } from '../../linux/mount-table';
import { UMOUNT, unmount } from '../../linux/mount';
import { CommandError, runCommand } from '../../scripts/process/command';
import { seal } from '../erofs/damaged-image';
import { eventually } from '../../linux/testing/eventually';
import { imageCommand, ISHARE, type CommandEnd } from '../harness/image-command';
import { BackgroundMount } from '../harness/image-mounts';
import { Scratch } from '../harness/scratch';

const fixtures = resolve('test/fixtures/erofs');
const image = join(fixtures, 'lz4.erofs');

let scratch: Scratch;
let directory: string;

beforeEach(async () => {
  scratch = await Scratch.make();
  directory = scratch.in('mounted');
  await mkdir(directory);
});
afterEach(() => scratch[Symbol.asyncDispose]());

async function mountsHere(): Promise<MountEntry[]> {
  return (await readMountTable()).filter(({ target }) => target === directory);
}

describe('in the background', () => {
  test('it has left terminal, session and directory of who started it', async () => {
    await using mount = await BackgroundMount.start(image, directory);
    const { pid } = mount.report;
    const proc = (name: string): string => `/proc/${pid}/${name}`;
    for (const fd of [0, 1, 2]) expect(await readlink(proc(`fd/${fd}`))).toBe('/dev/null');
    expect(await readlink(proc('cwd'))).toBe('/');
    const stat = await readFile(proc('stat'), 'utf8');
    // proc_pid_stat(5): state, parent, group, session and terminal follow the name.
    const [, , group, session, terminal] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    expect({ group, session, terminal }).toEqual({ group: String(pid), session: String(pid), terminal: '0' });
    // Its channel to the starter is closed.
    const sockets = await Promise.all((await readdir(proc('fd'))).map((fd) => readlink(proc(`fd/${fd}`))));
    expect(sockets.filter((target) => target.startsWith('socket:'))).toEqual([]);
  });

  test('it reports what it has mounted, as the mount table shows it', async () => {
    await using mount = await BackgroundMount.start(image, directory);
    const { pid, device, ...order } = mount.report;
    expect(order).toEqual({ image, directory, devices: [], allow_other: true });
    const [entry] = await mountsHere();
    expect(entry).toMatchObject({ device, type: 'fuse.ishare-erofs', source: image });
    expect(entry?.options).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev']));
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    expect(commandLine).toContain(directory);
  });

  test('without --json it says nothing', async () => {
    expect(await imageCommand('mount', '--detach', image, directory)).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    });
    expect((await imageCommand('umount', directory)).exitCode).toBe(0);
  });

  // The test itself is the starter, since one that is killed may have taken note a moment before.
  test.each(['before it is told', 'before it has taken note'])(
    'where its starter is gone %s, nothing stays mounted',
    async (moment) => {
      const order: MountOrder = { image, directory, devices: [], allowOther: true };
      const child = startInBackground(order);
      const ended = once(child, 'exit', { signal: AbortSignal.timeout(20_000) });
      if (moment === 'before it has taken note') {
        const [told] = (await once(child, 'message')) as [StartMessage];
        expect(told.kind).toBe('mounted');
        expect(await mountsHere()).toHaveLength(1);
      }
      child.disconnect();
      expect(await ended).toEqual([MOUNT_FAILURE, null]);
      expect(await mountsHere()).toEqual([]);
    },
  );

  test('a symbolic link and a relative path lead to the directory and the image they mean', async () => {
    await runCommand('ln', ['-s', directory, scratch.in('link')]);
    await runCommand(ISHARE, ['image', 'mount', '--detach', 'lz4.erofs', scratch.in('link')], {
      directory: fixtures,
      timeLimit: 20_000,
    });
    expect(await mountsHere()).toEqual([expect.objectContaining({ source: image })]);
    expect((await imageCommand('umount', directory)).exitCode).toBe(0);
  });
});

describe('who gets in', () => {
  const lookIn = (): Promise<unknown> =>
    runCommand('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', 'ls', directory], {
      timeLimit: 10_000,
    });
  beforeEach(() => chmod(scratch.path, 0o755));

  test('everybody', async () => {
    await using _mount = await BackgroundMount.start(image, directory);
    expect(await lookIn()).toMatchObject({ stdout: expect.stringContaining('a.txt') as string });
  });

  test('root alone with --no-allow-other', async () => {
    await using _mount = await BackgroundMount.start(image, directory, '--no-allow-other');
    await expect(lookIn()).rejects.toThrow(/Permission denied/);
    expect(await readdir(directory)).toContain('a.txt');
  });
});

describe('it refuses', () => {
  const ways: [string, string[]][] = [
    ['in the foreground', []],
    ['in the background', ['--detach']],
  ];

  async function refused(end: CommandEnd, message: string): Promise<void> {
    expect(end).toMatchObject({ exitCode: 32, stdout: '', stderr: `ishare: image mount: ${message}\n` });
    expect(await mountsHere()).toEqual([]);
  }

  test.each(ways)('what is no directory, %s', async (_way, options) => {
    const missing = scratch.in('missing');
    await refused(
      await imageCommand('mount', ...options, image, missing),
      `${missing}: mount point does not exist`,
    );
    const file = scratch.in('file');
    await writeFile(file, '');
    await refused(
      await imageCommand('mount', ...options, image, file),
      `${file}: mount point is not a directory`,
    );
  });

  test.each(ways)('what is no image, %s', async (_way, options) => {
    const file = scratch.in('file');
    const mount = (what: string): Promise<CommandEnd> => imageCommand('mount', ...options, what, directory);
    await refused(await mount(file), `${file}: no such file or directory`);
    await refused(await mount(scratch.path), `${scratch.path}, image: is no regular file`);
    await writeFile(file, '\0'.repeat(5000));
    await refused(await mount(file), `${file}, byte 1024, superblock.magic: 0x0: no EROFS image`);
    await copyFile(image, file);
    await truncate(file, 1100);
    expect((await mount(file)).stderr).toMatch(/^ishare: image mount: .*file, .*superblock/);
    expect(await mountsHere()).toEqual([]);
  });

  test('an image whose devices are not the ones it wants', async () => {
    const chunks = join(fixtures, 'chunk-blobdev.erofs');
    const field = `${chunks}, superblock.extraDevices`;
    await refused(
      await imageCommand('mount', chunks, directory),
      `${field}: the image wants 1 devices, none is given`,
    );
    const blob = join(fixtures, 'chunk-blobdev.blob');
    await refused(
      await imageCommand('mount', '--device', blob, '--device', blob, chunks, directory),
      `${field}: the image wants 1 devices, 2 are given`,
    );
  });

  test('to mount the same image twice, but not another over it', async () => {
    await using _first = await BackgroundMount.start(image, directory);
    const again = await imageCommand('mount', '--detach', image, directory);
    expect(again).toMatchObject({
      exitCode: 32,
      stderr: `ishare: image mount: ${directory}: ${image} is already mounted here\n`,
    });
    await using _second = await BackgroundMount.start(join(fixtures, 'plain.erofs'), directory);
    expect(await mountsHere()).toHaveLength(2);
  });

  test('to mount without the right to', async () => {
    const words = ['--bounding-set=-sys_admin', '--inh-caps=-sys_admin'];
    const running = runCommand('setpriv', [...words, ISHARE, 'image', 'mount', image, directory], {
      timeLimit: 20_000,
    });
    const caught: unknown = await running.catch((error: unknown) => error);
    expect(caught).toBeInstanceOf(CommandError);
    const { outcome } = caught as CommandError;
    expect(outcome).toMatchObject({ exitCode: 32, stdout: '' });
    expect(outcome.stderr).toBe(
      `ishare: image mount: ${directory}: this process may not mount (CAP_SYS_ADMIN is missing)\n`,
    );
  });

  test('a directory under a dead mount, and says what takes that away', async () => {
    const mount = await BackgroundMount.start(image, directory);
    await using _mount = mount;
    process.kill(mount.report.pid, 'SIGKILL');
    await eventually('the mount is dead', async () => {
      const { stderr } = await imageCommand('mount', image, directory);
      return stderr.includes('a mount without a server is there');
    });
    unmount(directory, UMOUNT.DETACH);
  });
});

test('a damaged inode is listed, and hides neither its neighbours nor what is wrong', async () => {
  const damaged = scratch.in('damaged.erofs');
  const bytes = await readFile(join(fixtures, 'plain.erofs'));
  await using opened = await ErofsImage.open(join(fixtures, 'plain.erofs'));
  const { nid } = await resolvePath(opened, Buffer.from('/small'), true);
  bytes.fill(0xff, opened.superblock.metaOffset + nid * 32, opened.superblock.metaOffset + nid * 32 + 2);
  await writeFile(damaged, seal(bytes));
  await using _mount = await BackgroundMount.start(damaged, directory);
  expect(await readdir(directory)).toEqual(expect.arrayContaining(['a.txt', 'rand.bin', 'small']));
  expect(await readFile(join(directory, 'a.txt'))).toHaveLength(100_003);
  await expect(readFile(join(directory, 'small'))).rejects.toThrow();
});

test('names longer than the format holds are refused as Linux refuses them', async () => {
  await using _mount = await BackgroundMount.start(image, directory);
  await expect(lstat(join(directory, 'x'.repeat(255)))).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(lstat(join(directory, 'x'.repeat(256)))).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
});

test('two words are wanted, else the usage is shown', async () => {
  const { exitCode, stderr } = await imageCommand('mount', image);
  expect(exitCode).toBe(1);
  expect(stderr).toContain('Usage: ishare image mount');
});
