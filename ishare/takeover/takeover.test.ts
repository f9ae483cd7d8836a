import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unmount, UMOUNT } from '../../linux/mount';
import { readMountTable } from '../../linux/mount-table';
import type { LayerAttachment, MergedLayers } from '../layer-server';
import { buildImage } from '../../erofs/build';
import { eventually } from '../../linux/testing/eventually';
import { digestOf, FIXTURES, TEAM } from '../testing/engine-place';
import { FileUser } from '../testing/file-user';
import { endHolder } from './holder';
import { canResend, readTakeoverState } from './takeover-state';
import { LONG } from '../../linux/testing/long-trials';

const PROGRAM = path.join(__dirname, '../testing/engine-program.js');
const FILE = 'rand.bin';
const READY_LIMIT_MS = 15_000;

let directory: string;
let content: Buffer;
const children: ChildProcess[] = [];

beforeAll(async () => {
  content = await readFile(path.join(FIXTURES, 'src', FILE));
});

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'takeover-'));
  await mkdir(path.join(directory, 'images'));
});

afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  const state = await readTakeoverState(directory).catch(() => undefined);
  if (state !== undefined) await endHolder(state.holder);
  for (const { target } of await readMountTable())
    if (target.startsWith(directory)) unmount(target, UMOUNT.DETACH);
  await rm(directory, { recursive: true });
});

const layers: LayerAttachment[] = ['plain-fp.erofs', 'plain-fp-default.erofs'].map((image, index) => ({
  attachmentId: index + 1,
  imagePath: path.join(FIXTURES, image),
  label: image,
  domain: { ...TEAM, secret: Buffer.alloc(0) },
  trust: 'computed',
  verified: [],
  digests: undefined,
  nodeRange: index + 1,
  inoBase: (index + 1) * 100_000,
  inoCount: 100_000,
}));

/** More than are read in one go, so that some are under way whenever the kernel is asked for them again. */
const READERS = 'for file; do for i in $(seq 20); do cat "$file" & done; done; wait';

interface Server {
  readonly child: ChildProcess;
  readonly takenOver: boolean;
  readonly roots: readonly string[];
}

async function serve(served: readonly (LayerAttachment | MergedLayers)[] = layers): Promise<Server> {
  const args = [PROGRAM, path.join(directory, 'images'), directory, JSON.stringify(served)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const line = (await Promise.race([
    once(child.stdout, 'data'),
    sleep(READY_LIMIT_MS, undefined, { ref: false }),
  ])) as [Buffer] | undefined;
  if (line === undefined) throw new Error('the server is not ready in time');
  return { child, ...(JSON.parse(String(line[0])) as Omit<Server, 'child'>) };
}

async function openFiles({ child }: Server): Promise<number> {
  const answer = once(child.stdout!, 'data');
  child.kill('SIGUSR2');
  const [line] = (await answer) as [Buffer];
  return Number(String(line));
}

async function end(server: Server, signal: NodeJS.Signals): Promise<void> {
  server.child.kill(signal);
  await once(server.child, 'exit');
}

test('files that are open and mapped go on, and new opens share the same pages', async () => {
  const first = await serve();
  expect(first.takenOver).toBe(false);
  const [root, other] = first.roots;
  await using user = await FileUser.open(`${root}/${FILE}`);
  expect(await user.map('shared')).toBe(true);
  expect((await user.read(0, content.length)).equals(content)).toBe(true);
  await end(first, 'SIGKILL');
  // Cached and passed through: no daemon is needed for that.
  expect((await user.read(4096, 8192)).equals(content.subarray(4096, 12_288))).toBe(true);
  // Needs a daemon, which comes later.
  const waiting = digestOf(`${other}/dir/a-copy.txt`);
  await sleep(100);
  const second = await serve();
  expect(second.takenOver).toBe(true);
  expect(await waiting).toBe(await digestOf(path.join(FIXTURES, 'src/a.txt')));
  expect((await user.mapped(0, content.length)).equals(content)).toBe(true);
  // The same inode as the handle of before: another backing id would be EIO.
  await using again = await FileUser.open(`${root}/${FILE}`);
  expect((await again.read(0, content.length)).equals(content)).toBe(true);
  expect(await digestOf(`${other}/${FILE}`)).toBe(await digestOf(path.join(FIXTURES, 'src', FILE)));
  await user.close();
  await end(second, 'SIGINT');
});

test.each([
  ['a domain', layers],
  ['no domain', layers.map((layer) => ({ ...layer, domain: undefined }))],
])('files that are open through merged layers in %s go on', async (_where, layers) => {
  const imagePath = path.join(directory, 'merged.erofs');
  await buildImage({
    source: { layers: layers.map((layer) => ({ path: layer.imagePath })) },
    target: imagePath,
  });
  const numbers = { attachmentId: 3, nodeRange: 3, inoBase: 300_000, inoCount: 100_000 };
  const merged: MergedLayers = {
    ...{ imagePath, label: 'merged', domain: layers[0]!.domain, digests: undefined },
    ...{ ...numbers, layers: [1, 2] },
  };
  const first = await serve([...layers, merged]);
  const [, other, root] = first.roots;
  await using user = await FileUser.open(`${root}/${FILE}`);
  expect(await user.map('private')).toBe(true);
  expect((await user.read(0, 4096)).equals(content.subarray(0, 4096))).toBe(true);
  await end(first, 'SIGKILL');
  const waiting = user.read(0, content.length);
  const second = await serve([...layers, merged]);
  expect(await openFiles(second)).toBe(1);
  expect((await waiting).equals(content)).toBe(true);
  expect((await user.mapped(0, content.length)).equals(content)).toBe(true);
  await using again = await FileUser.open(`${root}/${FILE}`);
  expect((await again.read(0, content.length)).equals(content)).toBe(true);
  expect(await digestOf(`${other}/${FILE}`)).toBe(await digestOf(path.join(FIXTURES, 'src', FILE)));
  await user.close();
  await again.close();
  await end(second, 'SIGINT');
});

/** Readings of everything, from dropped caches. */
const ROUNDS = LONG ? 150 : 60;

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'requests that were being answered at a %s are answered by the next daemon',
  async (signal) => {
    let server = await serve();
    const script = `for i in $(seq ${ROUNDS}); do cat "$1"/* "$1"/dir/a-copy.txt 2>/dev/null | sha256sum; echo 3 > /proc/sys/vm/drop_caches; done`;
    const reader = spawn('sh', ['-c', script, 'sh', server.roots[0]!], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    reader.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = once(reader, 'exit');
    for (let kills = 0; kills < 4; kills += 1) {
      await sleep(150 + kills * 70);
      await end(server, signal);
      server = await serve();
      expect(server.takenOver).toBe(true);
    }
    await ended;
    const lines = output.trim().split('\n');
    expect(lines).toHaveLength(ROUNDS);
    expect(new Set(lines).size).toBe(1);
    await end(server, 'SIGINT');
  },
);

test('what is opened while nobody serves is counted once', async () => {
  const first = await serve();
  const names = ['a.txt', FILE, 'dir/a-copy.txt', 'dir/part.txt'];
  const files = first.roots.flatMap((root) => names.map((name) => `${root}/${name}`));
  // So that the kernel knows where they are, and asks for nothing but opens.
  await Promise.all(files.map((file) => stat(file)));
  await end(first, 'SIGKILL');
  const readers = spawn('sh', ['-c', READERS, 'sh', ...files], { stdio: ['ignore', 'ignore', 'inherit'] });
  const read = once(readers, 'exit');
  await sleep(500);
  const second = await serve();
  expect(second.takenOver).toBe(true);
  expect(await read).toEqual([0, null]);
  await eventually('every file is closed', async () => (await openFiles(second)) === 0);
  await end(second, 'SIGINT');
});

test('a planned stop leaves the mounts, and the next daemon goes on with them', async () => {
  const first = await serve();
  await using user = await FileUser.open(`${first.roots[0]}/${FILE}`);
  await end(first, 'SIGTERM');
  const second = await serve();
  expect(second.takenOver).toBe(true);
  expect((await user.read(0, content.length)).equals(content)).toBe(true);
  await end(second, 'SIGINT');
  expect((await readMountTable()).filter(({ target }) => target.startsWith(directory))).toEqual([]);
  expect(await readTakeoverState(directory)).toBeUndefined();
});

test('without a holder the mounts are dead, and the next daemon makes new ones', async () => {
  const first = await serve();
  const { holder } = (await readTakeoverState(directory))!;
  await end(first, 'SIGKILL');
  await endHolder(holder);
  const second = await serve();
  expect(second.takenOver).toBe(false);
  expect(await digestOf(`${second.roots[0]}/${FILE}`)).toBe(await digestOf(path.join(FIXTURES, 'src', FILE)));
  await end(second, 'SIGINT');
});

test('a holder that somebody ends is followed by another', async () => {
  const first = await serve();
  const { holder } = (await readTakeoverState(directory))!;
  await endHolder(holder);
  const deadline = Date.now() + 10_000;
  while ((await readTakeoverState(directory))?.holder.pid === holder.pid && Date.now() < deadline)
    await sleep(20);
  await end(first, 'SIGKILL');
  const second = await serve();
  expect(second.takenOver).toBe(true);
  await end(second, 'SIGINT');
});

test('mounts of a later version are left alone, with a word on what to do', async () => {
  const first = await serve();
  await end(first, 'SIGTERM');
  const file = path.join(directory, 'takeover.json');
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace('"version":1,"program":"test"', '"version":2,"program":"9.9"'));
  await expect(readTakeoverState(directory)).rejects.toThrow(/ishare-snapshotter 9\.9.*version 2.*knows 1/);
  await writeFile(file, text);
  await end(await serve(), 'SIGINT');
});

describe('on a kernel that cannot repeat requests', () => {
  const file = (): string => path.join(directory, 'takeover.json');

  async function forgetResend(): Promise<void> {
    const text = await readFile(file(), 'utf8');
    await writeFile(file(), text.replaceAll(',"HAS_RESEND"', ''));
    expect(canResend((await readTakeoverState(directory))!)).toBe(false);
  }

  test('mounts are taken over after a planned stop', async () => {
    const first = await serve();
    await using user = await FileUser.open(`${first.roots[0]}/${FILE}`);
    await end(first, 'SIGTERM');
    await forgetResend();
    const waiting = digestOf(`${first.roots[1]}/dir/a-copy.txt`);
    const second = await serve();
    expect(second.takenOver).toBe(true);
    expect(await waiting).toBe(await digestOf(path.join(FIXTURES, 'src/a.txt')));
    await user.close();
    await end(second, 'SIGINT');
  });

  test('who waits for a daemon that was killed gets an error from the next one, and does not wait for ever', async () => {
    const first = await serve();
    await forgetResend();
    await end(first, 'SIGKILL');
    const waiting = digestOf(`${first.roots[1]}/dir/a-copy.txt`).catch(String);
    await sleep(100);
    const second = await serve();
    expect(second.takenOver).toBe(false);
    expect(await waiting).toMatch(/connection abort|not connected/);
    expect(await digestOf(`${second.roots[0]}/${FILE}`)).toBe(
      await digestOf(path.join(FIXTURES, 'src', FILE)),
    );
    await end(second, 'SIGINT');
  });
});
