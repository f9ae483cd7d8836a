import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, truncateSync, writeFileSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { devicesOf } from '../erofs/damaged-image';
import { systemMkfs } from '../../erofs/testing/erofs-utils';
import { TemporaryDirectory } from '../erofs/temporary-directory';
import { imageCommand, ISHARE } from '../harness/image-command';

const fixture = (name: string): string => resolve('test/fixtures/erofs', name);

test.each(['plain.erofs', 'lz4hc.erofs', 'tar-i.erofs'])('prints files of %s as they are', (name) => {
  const devices = (devicesOf[name] ?? []).flatMap((device) => ['--device', fixture(device)]);
  const words = ['image', 'cat', ...devices, fixture(name), 'rand.bin', '/dir/part.txt', 'link', 'small'];
  const printed = execFileSync(ISHARE, words, { timeout: 20_000, maxBuffer: 1 << 20 });
  const source = ['rand.bin', 'dir/part.txt', 'a.txt', 'small'].map((file) =>
    readFileSync(fixture(`src/${file}`)),
  );
  expect(printed.equals(Buffer.concat(source))).toBe(true);
});

test('what cannot be printed is told, and the others are printed', async () => {
  expect(await imageCommand('cat', fixture('plain.erofs'), 'nowhere', 'dir', 'small')).toEqual({
    exitCode: 1,
    stdout: 'hello erofs\n',
    stderr: 'ishare: image cat: nowhere: no such file or directory\nishare: image cat: dir: is a directory\n',
  });
});

test('an image that cannot be opened is told', async () => {
  const { exitCode, stderr } = await imageCommand('cat', '/nowhere', 'file');
  expect(exitCode).toBe(1);
  expect(stderr).toBe('ishare: image cat: /nowhere: no such file or directory\n');
});

test('a reader that leaves ends it quietly', async () => {
  using scratch = new TemporaryDirectory();
  mkdirSync(scratch.join('source'));
  writeFileSync(scratch.join('source', 'big'), '');
  truncateSync(scratch.join('source', 'big'), 512 << 20);
  systemMkfs.run('--quiet', '--chunksize=1048576', scratch.join('image'), scratch.join('source'));
  const child = spawn(ISHARE, ['image', 'cat', scratch.join('image'), 'big', 'big'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  });
  let stderr = '';
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [exitCode] = (await once(child, 'close')) as [number | null];
  expect(stderr).toBe('');
  expect(exitCode).toBe(0);
});
