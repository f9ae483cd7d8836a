import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfBytes, makeReadyMade } from '../../ishare/verification/testing/ready-made';
import { ContainerHost, ownNamespace } from '../harness/container-host';
import { eventually } from '../../linux/testing/eventually';
import { ForegroundCommand, imageCommand, type CommandEnd } from '../harness/image-command';

const place = { namespace: ownNamespace('import'), snapshotter: 'ishare' };
const fixtures = join(__dirname, '..', '..', '..', 'test', 'fixtures', 'erofs');

let host: ContainerHost;
let image: string;

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: {} });
  image = await makeReadyMade(join(host.directory, 'image.erofs'), { file: 'content' });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

function words(...more: readonly string[]): string[] {
  return ['import', '--containerd', host.containerd.socket, '--namespace', place.namespace, ...more];
}

function run(...more: readonly string[]): Promise<CommandEnd> {
  return imageCommand(...words(...more));
}

/** Snapshots as containerd knows them: name, parent and kind, of which the parent may be missing. */
async function snapshots(snapshotter = place.snapshotter): Promise<string[][]> {
  const output = await host.containerd.ctr(['snapshots', '--snapshotter', snapshotter, 'list'], place);
  return output
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.trim().split(/\s+/));
}

/** Directories of active snapshots that the daemon has. */
async function directories(): Promise<string[]> {
  return await readdir(join(host.daemon(place.snapshotter).snapshotter.root, 'snapshots'));
}

test('an image becomes a committed snapshot under the digest of its file', async () => {
  const name = `sha256:${digestOfBytes(await readFile(image))}`;
  const { size } = await stat(image);
  expect(await run(image)).toEqual({
    exitCode: 0,
    stdout: `${image}: ${(size / 1024).toFixed(1)} KiB, snapshot ${name}\n`,
    stderr: '',
  });
  expect(await snapshots()).toContainEqual([name, 'Committed']);
  await using tree = await host.mountTree(name, place, 'view');
  expect(await readFile(join(tree.path, 'file'), 'utf8')).toBe('content');
  expect(await directories()).toHaveLength(1);
});

test('it may have another name and a parent, and survives the garbage collector', async () => {
  expect(await run('--name', 'base', image)).toMatchObject({ exitCode: 0 });
  const above = await makeReadyMade(join(host.directory, 'above.erofs'), { above: 'more' });
  const end = await run('--name', 'above', '--parent', 'base', '--json', above);
  expect(end).toMatchObject({ exitCode: 0, stderr: '' });
  const { size } = await stat(above);
  expect(JSON.parse(end.stdout)).toEqual({ name: 'above', bytes: size, ...place });
  await host.containerd.ctr(['leases', 'create', '--id', 'collect'], place);
  await host.containerd.ctr(['leases', 'delete', '--sync', 'collect'], place);
  expect(await snapshots()).toContainEqual(['above', 'base', 'Committed']);
  await using tree = await host.mountTree('above', place, 'view');
  expect((await readdir(tree.path)).sort()).toEqual(['above', 'file']);
});

test.each([
  ['a name that is taken', () => ['--name', 'taken', image], /snapshot taken exists already/],
  ['a parent that is not there', () => ['--name', 'orphan', '--parent', 'nobody', image], /nobody/],
  ['a file that is not there', () => [join(host.directory, 'missing')], /missing: no such file/],
  ['a file that is no image', () => [join(host.directory, 'text')], /text.*no EROFS image/],
  ['an image with extra devices', () => [join(fixtures, 'chunk-blobdev.erofs')], /1 extra devices/],
  ['another snapshotter', () => ['--snapshotter', 'overlayfs', image], /overlayfs takes no images/],
  [
    'a snapshotter without an upper directory',
    () => ['--snapshotter', 'native', image],
    /native takes no images/,
  ],
  ['an unknown snapshotter', () => ['--snapshotter', 'nobody', image], /nobody/],
])('%s is refused in one line, and nothing stays behind', async (_what, more, message) => {
  await writeFile(join(host.directory, 'text'), 'no image'.repeat(1000));
  if (!(await snapshots()).some(([name]) => name === 'taken')) await run('--name', 'taken', image);
  const before = { ours: await snapshots(), directories: (await directories()).length };
  const { exitCode, stdout, stderr } = await run(...more());
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
  expect(stderr).toMatch(/^ishare: image import: [^\n]+\n$/);
  expect(stderr).toMatch(message);
  expect({ ours: await snapshots(), directories: (await directories()).length }).toEqual(before);
  for (const other of ['overlayfs', 'native']) expect(await snapshots(other)).toEqual([]);
});

test('without a containerd it says so', async () => {
  const socket = join(host.directory, 'nobody.sock');
  const { exitCode, stderr } = await imageCommand('import', '--containerd', socket, image);
  expect(exitCode).toBe(1);
  expect(stderr).toBe(
    `ishare: image import: no containerd answers on ${socket} (--containerd names another socket)\n`,
  );
});

test('a signal in the middle of the copy leaves nothing behind', async () => {
  const long = await makeReadyMade(join(host.directory, 'long.erofs'), { file: 'long' });
  await truncate(long, 16 * 1024 ** 3);
  const before = await snapshots();
  const active = (await directories()).length;
  await using command = new ForegroundCommand(...words('--name', 'interrupted', long));
  await eventually('the copy begins', async () => (await directories()).length > active || !command.running);
  command.signal('SIGINT');
  expect(await command.ends()).toBe(130);
  expect({ stdout: command.stdout, stderr: command.stderr }).toEqual({ stdout: '', stderr: '' });
  expect(await snapshots()).toEqual(before);
});
