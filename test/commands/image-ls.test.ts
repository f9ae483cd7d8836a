import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { S_IFCHR, S_IFIFO } from '../../erofs/format/dirent';
import { makeDevice, makeNode } from '../../linux/device-node';
import { systemMkfs } from '../../erofs/testing/erofs-utils';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { imageCommand } from '../harness/image-command';

const PLAIN = resolve('test/fixtures/erofs/plain.erofs');
const METABOX = resolve('test/fixtures/erofs/metacompr.erofs');

let scratch: TemporaryDirectory;
let image: string;

beforeAll(() => {
  scratch = new TemporaryDirectory();
  image = scratch.join('image.erofs');
  const at = (name: string | Buffer): Buffer =>
    Buffer.concat([Buffer.from(`${scratch.path}/source/`), Buffer.from(name)]);
  mkdirSync(at('dir/deep'), { recursive: true });
  writeFileSync(at('dir/file'), 'x');
  writeFileSync(at('.hidden'), '');
  writeFileSync(at('control\n\u001b[31m'), '');
  writeFileSync(at(Buffer.from([0x72, 0xff])), '');
  makeNode(at('whiteout'), S_IFCHR, makeDevice(0, 0));
  makeNode(at('console'), S_IFCHR | 0o600, makeDevice(5, 1));
  makeNode(at('fifo'), S_IFIFO | 0o644);
  symlinkSync('dir', at('to-dir'));
  symlinkSync('nowhere', at('dangling'));
  systemMkfs.run('--quiet', image, scratch.join('source'));
});

afterAll(() => {
  scratch[Symbol.dispose]();
});

const ls = (...words: string[]) => imageCommand('ls', ...words);

test('lists the root, sorted, without hidden names', async () => {
  expect(await ls(PLAIN)).toEqual({
    exitCode: 0,
    stdout: 'a.txt\ndir\nempty\nlink\nrand.bin\nsmall\n',
    stderr: '',
  });
});

test('-a shows hidden names too', async () => {
  const { stdout } = await ls('-a', image);
  expect(stdout).toMatch(/^\.\n\.\.\n\.hidden\n/);
});

test('-l shows what the inodes say', async () => {
  const { stdout } = await ls('-l', image);
  expect(stdout).toMatch(/^crw------- 1 +0 +0 +5, 1 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d console$/m);
  expect(stdout).toMatch(/^c[-rwx]{9} 1 0 0 +0, 0 .* whiteout$/m);
  expect(stdout).toMatch(/^prw-r--r-- .* fifo$/m);
  expect(stdout).toMatch(/^lrwxrwxrwx .* to-dir -> dir$/m);
  expect(stdout).toMatch(/^drwxr-xr-x 3 .* dir$/m);
});

test('-i shows the inode numbers that Linux shows', async () => {
  const { stdout } = await ls('-i', PLAIN, 'small');
  expect(stdout).toBe('3826 small\n');
  const metabox = await ls('-id', METABOX, '/');
  expect(Number(metabox.stdout.split(' ')[0])).toBeGreaterThanOrEqual(2 ** 31);
});

test('-R lists everything below, with headers', async () => {
  const { stdout } = await ls('-R', PLAIN);
  expect(stdout).toBe('/:\na.txt\ndir\nempty\nlink\nrand.bin\nsmall\n\n/dir:\na-copy.txt\npart.txt\n');
});

test('names are raw bytes where a program reads them', async () => {
  const { stdout } = await ls(image);
  expect(stdout).toContain('control\n\u001b[31m\n');
});

test('several paths: files first, then directories with headers', async () => {
  const { stdout } = await ls(PLAIN, 'dir', 'small', 'a.txt');
  expect(stdout).toBe('a.txt\nsmall\n\ndir:\na-copy.txt\npart.txt\n');
});

test('a symlink to a directory stands for it, but not with -l', async () => {
  expect((await ls(image, 'to-dir')).stdout).toBe('deep\nfile\n');
  expect((await ls('-l', image, 'to-dir')).stdout).toMatch(/to-dir -> dir\n$/);
  expect((await ls('-l', image, 'to-dir/')).stdout).toContain('file\n');
  expect((await ls(image, 'dangling')).stdout).toBe('dangling\n');
});

test('a path that is not there is told, and the others are listed', async () => {
  expect(await ls(PLAIN, 'nowhere', 'dir', 'small/x')).toEqual({
    exitCode: 2,
    stdout: 'dir:\na-copy.txt\npart.txt\n',
    stderr:
      'ishare: image ls: nowhere: no such file or directory\nishare: image ls: small/x: not a directory\n',
  });
});

test('--json tells everything, names without loss', async () => {
  const { stdout } = await ls('--json', '-a', image);
  const listed = JSON.parse(stdout) as Record<string, unknown>[];
  const named = (path: string) => listed.find((entry) => entry['path'] === path);
  expect(named('/control\n\u001b[31m')).toMatchObject({ type: 'file', size: 0 });
  expect(named('/console')).toMatchObject({ type: 'character device', device: { major: 5, minor: 1 } });
  expect(named('/to-dir')).toMatchObject({ type: 'symlink', target: 'dir' });
  expect(listed).toContainEqual(
    expect.objectContaining({ path_base64: Buffer.from([0x2f, 0x72, 0xff]).toString('base64') }),
  );
  expect((await ls('--json', PLAIN, 'empty-not')).stdout).toBe('[]\n');
});

test('an image that cannot be opened is trouble', async () => {
  const missing = await ls('/nowhere/image');
  expect(missing.exitCode).toBe(2);
  expect(missing.stderr).toBe('ishare: image ls: /nowhere/image: no such file or directory\n');
  const other = await ls(resolve('package.json'));
  expect(other.exitCode).toBe(2);
  expect(other.stderr).toMatch(/superblock.magic: .*no EROFS image\n$/);
});
