import { lstat, mkdtemp, readdir, readFile, readlink, rmdir, stat, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readMountTable } from '../linux/mount-table';
import { FuseDevice } from './device';
import { FuseError, FuseUnavailableError } from './errors';
import { mountFuse } from './mount';
import { command, inClient } from './testing/client';
import { MemoryFileSystem } from './testing/memory-file-system';
import { CACHING, MOUNT_NAME, ServedMount } from './testing/served-mount';
import { undisturbed } from '../linux/testing/undisturbed';

let fileSystem: MemoryFileSystem;
let served: ServedMount;

beforeEach(() => {
  fileSystem = new MemoryFileSystem();
});

afterEach(async () => {
  await served[Symbol.asyncDispose]();
});

const inMount = (...names: string[]): string => path.join(served.root, ...names);

test('a mount shows in the table as read-only, with permission checks by the kernel', async () => {
  served = await ServedMount.attached(fileSystem);
  const entry = (await readMountTable()).find(({ target }) => target === served.root);
  expect(entry).toMatchObject({ type: `fuse.${MOUNT_NAME}`, source: MOUNT_NAME });
  expect(entry?.options).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev']));
  expect(entry?.superOptions).toEqual(expect.arrayContaining(['ro', 'default_permissions', 'allow_other']));
});

test('a detached mount shows in no table and answers under its descriptor', async () => {
  fileSystem.file(fileSystem.root, 'file', 'content');
  served = await ServedMount.detached(fileSystem);
  expect((await readMountTable()).map(({ device }) => device)).not.toContain(`0:${served.minor}`);
  expect(await readFile(inMount('file'), 'utf8')).toBe('content');
  expect(await readdir(served.root)).toEqual(['file']);
});

test('a missing name is asked for once, whoever looks for it', async () => {
  served = await ServedMount.attached(fileSystem);
  await undisturbed(async (attempt) => {
    const requests = await served.requestsOf(async () => {
      for (let time = 0; time < 3; time += 1) {
        await expect(command('stat', [inMount(`missing${attempt}`)])).rejects.toThrow(/No such file/);
      }
    });
    expect(requests['LOOKUP']).toBe(1);
  });
});

test('attributes are asked for once', async () => {
  fileSystem.file(fileSystem.root, 'file', 'content');
  served = await ServedMount.attached(fileSystem);
  await undisturbed(async () => {
    await command('stat', [inMount('file')]);
    const again = await served.requestsOf(async () => {
      await command('stat', [inMount('file')]);
      await command('ls', ['-ld', inMount('file')]);
      await stat(inMount('file'));
    });
    expect(again['LOOKUP'] ?? 0).toBe(0);
    expect(again['GETATTR'] ?? 0).toBe(0);
    expect(again['STATX'] ?? 0).toBe(0);
  });
});

test('stat shows what the file system says', async () => {
  const time = { seconds: -86_400, nanoseconds: 5 };
  const owner = { uid: 70_000, gid: 4_000_000_000, mode: 0o106755, nlink: 3, time };
  const file = fileSystem.file(fileSystem.root, 'file', Buffer.alloc(5000), owner);
  served = await ServedMount.attached(fileSystem);
  const found = await lstat(inMount('file'), { bigint: true });
  expect(found).toMatchObject({
    ino: BigInt(file.attributes.ino),
    size: 5000n,
    mode: 0o106755n,
    nlink: 3n,
    uid: 70_000n,
    gid: 4_000_000_000n,
    blocks: 16n,
    blksize: 4096n,
  });
  for (const nanoseconds of [found.atimeNs, found.mtimeNs, found.ctimeNs]) {
    expect(nanoseconds).toBe(-86_400n * 1_000_000_000n + 5n);
  }
  // find(1) does not ask for a birth time, so that it gets LOOKUP's answer where lstat() got STATX's.
  const { stdout } = await command('find', [inMount('file'), '-printf', '%s %m %n %U %G %Ts']);
  expect(stdout).toBe('5000 6755 3 70000 4000000000 -86400');
});

test.each([
  ['character device', 0o020600, 0x12345, 'isCharacterDevice'],
  ['block device', 0o060600, 0x12345, 'isBlockDevice'],
  ['fifo', 0o010600, 0, 'isFIFO'],
  ['socket', 0o140600, 0, 'isSocket'],
] as const)('a %s keeps its type and number', async (_what, mode, minor, question) => {
  const major = 0xabc;
  const rdev = minor === 0 ? 0 : ((minor & 0xff) | (major << 8) | ((minor & 0xfff00) << 12)) >>> 0;
  fileSystem.special(fileSystem.root, 'node', { mode, rdev });
  served = await ServedMount.attached(fileSystem);
  const found = await lstat(inMount('node'));
  expect(found[question]()).toBe(true);
  const { stdout } = await command('stat', ['-c', '%t %T', inMount('node')]);
  expect(stdout.trim()).toBe(minor === 0 ? '0 0' : 'abc 12345');
});

function manyFiles(): string[] {
  const directory = fileSystem.directory(fileSystem.root, 'many');
  const names = Array.from({ length: 5000 }, (_, index) => `name-${index * 7919}`);
  for (const name of names) fileSystem.file(directory, name, name);
  return names;
}

test('5,000 names are listed completely and in order, and once only', async () => {
  const names = manyFiles();
  served = await ServedMount.attached(fileSystem);
  await undisturbed(async () => {
    const listing = ['-mindepth', '1', '-printf', '%f %s %y\n'];
    expect((await command('find', [inMount('many'), ...listing])).stdout).toBe(
      names.map((name) => `${name} ${name.length} f\n`).join(''),
    );
    const again = await served.requestsOf(async () => {
      // Node sorts what it lists.
      expect(await readdir(inMount('many'))).toEqual([...names].sort());
    });
    expect(again).toEqual({});
  });
});

test('names that came with their attributes are not looked up again', async () => {
  manyFiles();
  // Left to itself the kernel asks for attributes with the first names of a directory only.
  const capabilities = CACHING.capabilities.filter((name) => name !== 'READDIRPLUS_AUTO');
  served = await ServedMount.attached(fileSystem, { ...CACHING, capabilities });
  await undisturbed(async () => {
    const requests = await served.requestsOf(() => command('ls', ['-l', inMount('many')]));
    expect(served.count('READDIRPLUS')).toBeGreaterThan(0);
    expect(served.count('READDIR')).toBe(0);
    expect(requests['READDIRPLUS'] ?? 0).toBeLessThan(500);
    const { LOOKUP: lookups = 0, GETATTR: getattrs = 0, STATX: statxs = 0 } = requests;
    expect(lookups + getattrs + statxs).toBeLessThan(10);
  });
});

test('a directory can be read on from every position', async () => {
  const directory = fileSystem.directory(fileSystem.root, 'dir');
  const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
  for (const name of names) fileSystem.directory(directory, name);
  served = await ServedMount.attached(fileSystem);
  const { all, rests } = await inClient('directoryFromEverywhere', inMount('dir'));
  expect(all).toEqual(['.', '..', ...names]);
  expect(rests.map((rest) => rest.names)).toEqual(all.map((_, index) => all.slice(index + 1)));
});

test('an empty directory and one of only long names are listed', async () => {
  fileSystem.directory(fileSystem.root, 'empty');
  const full = fileSystem.directory(fileSystem.root, 'full');
  const names = Array.from({ length: 300 }, (_, index) => String(index + 100).padStart(255, 'x'));
  for (const name of names) fileSystem.file(full, name, '');
  served = await ServedMount.attached(fileSystem);
  expect(await readdir(inMount('empty'))).toEqual([]);
  expect((await readdir(inMount('full'))).join()).toBe(names.join());
});

test('names need not be UTF-8', async () => {
  const name = Buffer.from([0x66, 0xff, 0xfe, 0x20, 0x0a]);
  fileSystem.file(fileSystem.root, name.toString('latin1'), 'odd');
  served = await ServedMount.attached(fileSystem);
  expect(await readdir(served.root, 'buffer')).toEqual([name]);
  expect(await readFile(Buffer.concat([Buffer.from(`${served.root}/`), name]), 'utf8')).toBe('odd');
});

test('a symbolic link of 4,095 bytes is read whole, and only once', async () => {
  const target = Buffer.alloc(4095, 0xe9);
  fileSystem.symlink(fileSystem.root, 'long', target);
  fileSystem.symlink(fileSystem.root, 'short', 'a');
  served = await ServedMount.attached(fileSystem);
  await undisturbed(async () => {
    expect(await readlink(inMount('long'), 'buffer')).toEqual(target);
    expect(await readlink(inMount('short'))).toBe('a');
    const again = await served.requestsOf(async () => {
      await readlink(inMount('long'), 'buffer');
      await command('readlink', [inMount('short')]);
    });
    expect(again).toEqual({});
  });
});

test('links are followed inside of the mount', async () => {
  const directory = fileSystem.directory(fileSystem.root, 'dir');
  fileSystem.file(directory, 'file', 'found');
  fileSystem.symlink(fileSystem.root, 'link', 'dir/../dir/file');
  served = await ServedMount.attached(fileSystem);
  expect((await command('cat', [inMount('link')])).stdout).toBe('found');
});

test('statfs shows blocks and files', async () => {
  served = await ServedMount.attached(fileSystem);
  expect(await statfs(served.root)).toMatchObject({
    blocks: 1000,
    bsize: 4096,
    bfree: 0,
    bavail: 0,
    files: 1,
  });
});

test('operations that the engine leaves to the kernel are asked for once at most', async () => {
  fileSystem.file(fileSystem.root, 'file', 'content', { mode: 0o100755 });
  const directory = fileSystem.directory(fileSystem.root, 'dir');
  for (let index = 0; index < 5; index += 1) fileSystem.file(directory, `${index}`, 'x');
  served = await ServedMount.attached(fileSystem);
  for (let time = 0; time < 3; time += 1) {
    await command('ls', ['-R', served.root]);
    await command('sh', ['-c', 'cat "$1"/dir/* "$1/file" && [ -x "$1/file" ] && cd "$1"', 'sh', served.root]);
  }
  for (const operation of ['OPEN', 'OPENDIR', 'FLUSH']) {
    expect([operation, served.count(operation)]).toEqual([operation, 1]);
  }
  for (const operation of ['ACCESS', 'RELEASE', 'RELEASEDIR']) {
    expect([operation, served.count(operation)]).toEqual([operation, 0]);
  }
  expect(served.faults).toEqual([]);
});

test('an ioctl is one that the file does not know', async () => {
  fileSystem.file(fileSystem.root, 'file', 'content');
  served = await ServedMount.attached(fileSystem);
  await expect(command('sh', ['-c', 'test -t 0 < "$1"', 'sh', inMount('file')])).rejects.toMatchObject({
    code: 1,
  });
  expect(served.count('IOCTL')).toBe(1);
  expect(served.faults).toEqual([]);
});

test('whatever would write is refused with EROFS', async () => {
  fileSystem.file(fileSystem.root, 'file', 'content');
  served = await ServedMount.attached(fileSystem);
  const outcomes = await inClient('writes', inMount('file'));
  expect(Object.keys(outcomes).length).toBeGreaterThan(10);
  for (const [what, outcome] of Object.entries(outcomes)) expect([what, outcome]).toEqual([what, 'EROFS']);
  expect(await readFile(inMount('file'), 'utf8')).toBe('content');
});

test('the kernel checks permissions for users who do not own the file', async () => {
  fileSystem.file(fileSystem.root, 'private', 'secret', { mode: 0o100600 });
  fileSystem.file(fileSystem.root, 'public', 'known', { mode: 0o100644 });
  served = await ServedMount.attached(fileSystem);
  const nobody = { uid: 65_534, gid: 65_534 };
  expect((await command('cat', [inMount('public')], nobody)).stdout).toBe('known');
  await expect(command('cat', [inMount('private')], nobody)).rejects.toThrow(/Permission denied/);
});

test.each(['EACCES', 'ENAMETOOLONG', 'ELOOP', 'ENOMEM', 'EOVERFLOW'] as const)(
  'a file system that answers %s is understood',
  async (code) => {
    fileSystem.lookup = () => {
      throw new FuseError(code);
    };
    served = await ServedMount.attached(fileSystem);
    await expect(stat(inMount('any'))).rejects.toMatchObject({ code });
    expect(served.faults).toEqual([]);
  },
);

test('a damaged image is EUCLEAN to the client, and reported', async () => {
  fileSystem.lookup = () => Promise.reject(new FuseError('EUCLEAN', 'bad block 7'));
  served = await ServedMount.attached(fileSystem);
  await expect(command('stat', [inMount('any')])).rejects.toThrow(/Structure needs cleaning/);
  expect(served.faults.map(({ operation }) => operation)).toContain('LOOKUP');
});

test('an unforeseen error is EIO, is reported, and the mount goes on', async () => {
  const bug = new TypeError('undefined is not a function');
  const lookup = fileSystem.lookup.bind(fileSystem);
  fileSystem.file(fileSystem.root, 'good', 'content');
  fileSystem.lookup = (parent, name) => {
    if (name.toString() === 'bad') throw bug;
    return lookup(parent, name);
  };
  served = await ServedMount.attached(fileSystem);
  await expect(stat(inMount('bad'))).rejects.toMatchObject({ code: 'EIO' });
  expect(served.faults).toEqual([{ operation: 'LOOKUP', error: bug }]);
  expect(await readFile(inMount('good'), 'utf8')).toBe('content');
});

test('a reply that the kernel refuses is reported, and the mount goes on', async () => {
  const file = fileSystem.file(fileSystem.root, 'file', Buffer.alloc(100));
  const read = fileSystem.read.bind(fileSystem);
  fileSystem.read = () => Buffer.alloc(1 << 20);
  served = await ServedMount.attached(fileSystem);
  await expect(readFile(inMount('file'))).rejects.toMatchObject({ code: 'EIO' });
  expect(served.faults.map(({ operation }) => operation)).toContain('READ');
  fileSystem.read = read;
  expect(await readFile(inMount('file'))).toEqual(file.content);
});

test('inodes that the kernel lets go of are forgotten as often as they were looked up', async () => {
  const directory = fileSystem.directory(fileSystem.root, 'dir');
  const file = fileSystem.file(directory, 'file', 'x');
  served = await ServedMount.attached(fileSystem);
  await command('cat', [inMount('dir', 'file')]);
  const lookups = served.count('LOOKUP');
  expect(lookups).toBe(2);
  expect(await served.session.notifier.invalidateEntry(fileSystem.root.id, Buffer.from('dir'))).toBe(true);
  // The next request comes after the FORGETs, which were queued before it.
  await expect(stat(inMount('missing'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(fileSystem.forgotten.get(directory.id)).toBe(1);
  expect(fileSystem.forgotten.get(file.id)).toBe(1);
});

test('mounting where there is no directory fails with the place, and leaves nothing behind', async () => {
  served = await ServedMount.attached(fileSystem);
  const parent = await mkdtemp(path.join(tmpdir(), 'fuse-nowhere-'));
  using device = FuseDevice.open();
  expect(() => mountFuse(device, path.join(parent, 'missing'), { name: MOUNT_NAME })).toThrow(
    /missing: ENOENT/,
  );
  await rmdir(parent);
});

test('a machine without /dev/fuse is told so', async () => {
  served = await ServedMount.attached(fileSystem);
  expect(() => FuseDevice.open('/dev/fuse-is-missing')).toThrow(FuseUnavailableError);
  expect(() => FuseDevice.open('/dev/fuse-is-missing')).toThrow(/the kernel has no FUSE/);
});
