import { closeSync, openSync, readSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { abortConnection } from '../../fuse/connection-control';
import { errorCode } from '../../linux/errno';
import { readMountTable, type MountEntry } from '../../linux/mount-table';
import { runCommand } from '../../scripts/process/command';
import { eventually } from '../../linux/testing/eventually';
import { ForegroundCommand } from '../harness/image-command';
import { BackgroundMount, ForegroundMount } from '../harness/image-mounts';
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

/** A file that is open on the mount; disposing closes it. */
class OpenFile implements Disposable {
  readonly #fd = openSync(join(directory, 'a.txt'), 'r');

  /** Bytes that nobody has read before, so that the server must give them. */
  read(): number {
    return readSync(this.#fd, Buffer.alloc(100), 0, 100, 90_000);
  }

  /** The first close(2) on a mount asks its server, which may be gone. */
  [Symbol.dispose](): void {
    try {
      closeSync(this.#fd);
    } catch (error) {
      if (errorCode(error) !== 'ENOTCONN') throw error;
    }
  }
}

describe('in the foreground', () => {
  test('it ends in order when somebody unmounts it', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    expect(await readdir(directory)).toContain('a.txt');
    await runCommand('umount', [directory], { timeLimit: 10_000 });
    expect(await mount.command.ends()).toBe(0);
    expect(mount.command.stderr).toBe('');
  });

  test('after umount -l it serves files that are open, and ends with the last', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    {
      using file = new OpenFile();
      await runCommand('umount', ['-l', directory], { timeLimit: 10_000 });
      expect(await mountsHere()).toEqual([]);
      expect(file.read()).toBe(100);
      expect(mount.command.running).toBe(true);
    }
    expect(await mount.command.ends()).toBe(0);
  });

  test('an aborted connection ends it too, and no dead mount is left', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    await abortConnection(mount.connection);
    expect(await mount.command.ends()).toBe(1);
    expect(mount.command.stderr).toBe(
      `ishare: image mount: ${directory}: its connection was aborted; it is unmounted\n`,
    );
    expect(await mountsHere()).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s unmounts what nobody uses', async (signal) => {
    await using mount = await ForegroundMount.start(image, directory);
    mount.command.signal(signal);
    expect(await mount.command.ends()).toBe(0);
    expect(await mountsHere()).toEqual([]);
  });

  test('Ctrl-C refuses to unmount what is in use; a second one takes it out of the tree', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    {
      using file = new OpenFile();
      mount.command.signal('SIGINT');
      await mount.command.says('target is busy');
      expect(await mountsHere()).toHaveLength(1);
      mount.command.signal('SIGINT');
      await mount.command.says('still in use');
      expect(await mountsHere()).toEqual([]);
      expect(file.read()).toBe(100);
    }
    expect(await mount.command.ends()).toBe(0);
  });

  test('a third Ctrl-C ends it whoever uses it', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    using file = new OpenFile();
    for (const answer of ['target is busy', 'still in use']) {
      mount.command.signal('SIGINT');
      await mount.command.says(answer);
    }
    mount.command.signal('SIGINT');
    expect(await mount.command.ends()).toBe(1);
    expect(() => file.read()).toThrow();
  });

  test('SIGTERM takes out of the tree what is in use', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    {
      using file = new OpenFile();
      mount.command.signal('SIGTERM');
      await mount.command.says('still in use');
      expect(await mountsHere()).toEqual([]);
      expect(file.read()).toBe(100);
    }
    expect(await mount.command.ends()).toBe(0);
  });

  test('it serves on where nobody can hear it', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    {
      using file = new OpenFile();
      mount.command.stopListening();
      mount.command.signal('SIGHUP');
      await eventually('it is out of the tree', async () => (await mountsHere()).length === 0);
      // Longer than it takes to say that it is in use.
      await new Promise((wait) => setTimeout(wait, 1000));
      expect(file.read()).toBe(100);
    }
    expect(await mount.command.ends()).toBe(0);
  });

  test('Ctrl-C at any moment of the start leaves nothing mounted', async () => {
    for (const delay of [100, 250, 400]) {
      await using command = new ForegroundCommand('mount', image, directory);
      await new Promise((wait) => setTimeout(wait, delay));
      command.signal('SIGINT');
      expect([0, 'SIGINT']).toContain(await command.ends());
      expect(await mountsHere()).toEqual([]);
    }
  });

  test('Ctrl-C finds it where it was moved to', async () => {
    await using mount = await ForegroundMount.start(image, directory);
    const elsewhere = scratch.in('elsewhere');
    await mkdir(elsewhere);
    await runCommand('mount', ['--move', directory, elsewhere], { timeLimit: 10_000 });
    expect(await readdir(elsewhere)).toContain('a.txt');
    mount.command.signal('SIGINT');
    expect(await mount.command.ends()).toBe(0);
    expect(await readdir(elsewhere)).toEqual([]);
  });

  test('Ctrl-C keeps away from what was mounted over it', async () => {
    await using below = await ForegroundMount.start(image, directory);
    const above = await BackgroundMount.start(join(fixtures, 'plain.erofs'), directory);
    {
      await using _above = above;
      below.command.signal('SIGINT');
      await below.command.says('target is busy');
      expect(await mountsHere()).toHaveLength(2);
    }
    below.command.signal('SIGINT');
    expect(await below.command.ends()).toBe(0);
    expect(await mountsHere()).toEqual([]);
  });
});
