import { execFile } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FileUser } from '../../ishare/testing/file-user';
import { LONG } from '../../linux/testing/long-trials';
import { unmount } from '../../linux/mount';
import type { Mount } from '../../proto/snapshots';
import type { BackgroundProcess } from '../../scripts/process/background-process';
import { IshareCommand } from '../harness/ishare-command';
import { mountSnapshot } from '../harness/mounting';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { DaemonPlace } from './daemon-place';

const run = promisify(execFile);
const DEPTH = LONG ? 128 : 20;
/** Large enough to be read in more than one go. */
const CONTENT = Buffer.alloc(1 << 20, 'a file that is open. ');

let place: DaemonPlace;
let daemon: BackgroundProcess;
let client: SnapshotsConnection;
let ishare: IshareCommand;

beforeEach(async () => {
  place = await DaemonPlace.create('[domains]\ndefault = "all"\n');
  daemon = await place.start();
  client = new SnapshotsConnection(place.flags.address);
  ishare = new IshareCommand(place.flags['admin-address']);
});

afterEach(async () => {
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

/** Commits layers as containerd does, the first of them on nothing; `write` makes the changes of one. */
async function commitChain(
  name: string,
  depth: number,
  write: (directory: string, layer: number) => Promise<void>,
): Promise<void> {
  for (let layer = 0; layer < depth; layer += 1) {
    const key = `default/1/extract-1-${name} sha256:${layer}`;
    const [mount] = await client.prepare(key, layer === 0 ? '' : `${name}-${layer - 1}`);
    await write(upperOf(mount!), layer);
    await client.commit(layer === depth - 1 ? name : `${name}-${layer}`, key);
  }
}

function upperOf({ source, options }: Mount): string {
  const upper = options.find((option) => option.startsWith('upperdir='));
  return upper === undefined ? source : upper.slice('upperdir='.length);
}

function lowerOf([mount]: readonly Mount[]): string[] {
  const lower = mount!.options.find((option) => option.startsWith('lowerdir='));
  return lower!.slice('lowerdir='.length).split(':');
}

/** Files of the tree that both chains make. */
const files = Array.from({ length: DEPTH }, (_, index) => `file-${index}`);

/** Requests of the images mount for a mount of a chain and a walk through all of it, with what they took. */
interface Walk {
  readonly lower: number;
  readonly requests: number;
  readonly seconds: number;
}

async function walk(key: string, chain: string): Promise<Walk> {
  const requests = async (): Promise<number> => {
    const counts = (await ishare.status()).images_requests;
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  };
  const mounts = await client.prepare(key, chain);
  const before = await requests();
  const start = performance.now();
  using mounted = await mountSnapshot(mounts, place.in('mnt'));
  const { stdout } = await run('find', [mounted.path, '-type', 'f', '-ls']);
  const seconds = (performance.now() - start) / 1000;
  expect(stdout.trim().split('\n').length).toBe(DEPTH);
  return { lower: lowerOf(mounts).length, requests: (await requests()) - before, seconds };
}

test('a deep chain is walked with the requests of one layer with the same tree', async () => {
  await commitChain('deep', DEPTH, (directory, layer) => writeFile(join(directory, files[layer]!), 'x'));
  await commitChain('flat', 1, async (directory) => {
    for (const file of files) await writeFile(join(directory, file), 'x');
  });
  const apart = await walk('default/1/extract-1-apart sha256:x', 'deep');
  const flat = await walk('flat container', 'flat');
  const deep = await walk('deep container', 'deep');
  process.stdout.write(`mount and walk: ${JSON.stringify({ flat, deep, apart })}\n`);
  expect([apart.lower, flat.lower, deep.lower]).toEqual([DEPTH, 1, 1]);
  expect(deep.requests).toBeLessThanOrEqual(flat.requests * 1.2);
});

test('files that are open through merged layers outlive the daemon, and layers count as attached', async () => {
  await commitChain('image', 3, (directory, layer) =>
    writeFile(join(directory, `of-${layer}`), layer === 1 ? CONTENT : `layer ${layer}`),
  );
  const mounts = await client.prepare('container', 'image');
  const mounted = await mountSnapshot(mounts, place.in('mnt'));
  await using user = await FileUser.open(join(mounted.path, 'of-1'));
  expect((await user.read(0, 4096)).equals(CONTENT.subarray(0, 4096))).toBe(true);
  const attached = (await ishare.images()).map(({ name, attached_in: domains }) => [name, domains]);
  expect(new Map(attached as [string, string[]][])).toEqual(
    new Map(['image-0', 'image-1', 'image'].map((name) => [name, ['all']])),
  );
  const large = (await ishare.inodes('all')).find(({ size }) => size === CONTENT.length);
  expect(large).toMatchObject({ images: 1, open_files: 1 });
  expect((await ishare.status()).attached_images).toBe(3);
  const text = await ishare.text('explain', 'container', '/of-1');
  expect(text).toContain('image-1');
  daemon.signal('SIGKILL');
  await daemon.waitForExit(5000);
  const reading = user.read(4096, CONTENT.length - 4096);
  await place.start();
  expect((await reading).equals(CONTENT.subarray(4096))).toBe(true);
  expect(await client.mounts('container')).toEqual(mounts);
  expect(await readFile(join(mounted.path, 'of-0'), 'utf8')).toBe('layer 0');
  await user.close();
  mounted[Symbol.dispose]();
});

test('a container that changes files of merged layers is committed and runs again', async () => {
  await commitChain('image', 2, async (directory, layer) => {
    await run('sh', ['-ec', `mkdir -p d; echo ${layer} >d/f${layer}; echo ${layer} >g${layer}`], {
      cwd: directory,
    });
  });
  const overlay = await mountSnapshot(await client.prepare('container', 'image'), place.in('mnt'));
  const script = 'echo more >>d/f0; rm d/f1; rm -r g0; mkdir g0; echo new >g0/n; mv g1 d/g1; chmod 700 d';
  await run('sh', ['-ec', script], { cwd: overlay.path });
  unmount(overlay.path);
  await client.commit('changed', 'container');
  const view = await client.view('view', 'changed');
  expect(view[0]?.type).toBe('bind');
  using mounted = await mountSnapshot(view, place.in('view'));
  const { stdout } = await run('sh', ['-c', 'find . | sort; cat d/f0 d/g1 g0/n; stat -c %a d'], {
    cwd: mounted.path,
  });
  expect(stdout.split('\n').filter((line) => line !== '')).toEqual([
    '.',
    './d',
    './d/f0',
    './d/g1',
    './g0',
    './g0/n',
    '0',
    'more',
    '1',
    'new',
    '700',
  ]);
  await expect(writeFile(join(mounted.path, 'x'), '')).rejects.toThrow('EROFS');
  expect(
    (await readdir(place.in('root', 'images'))).filter((name) => name.endsWith('.merged.erofs')).length,
  ).toBe(2);
});

test('verify finds damaged merged metadata, and the next container repairs it for those that run', async () => {
  await commitChain('verified', 2, (directory, layer) =>
    writeFile(join(directory, `file-${layer}`), 'content'),
  );
  await client.prepare('before', 'verified');
  const [name] = (await readdir(place.in('root', 'images'))).filter((file) => file.endsWith('.merged.erofs'));
  const image = place.in('root', 'images', name!);
  const sound = await readFile(image);
  await writeFile(image, Buffer.concat([sound.subarray(0, 1030), Buffer.from('?'), sound.subarray(1031)]));
  const verify = (): Promise<{ readonly exitCode: number | undefined; readonly stdout: string }> =>
    ishare.run('images', 'verify', '--all');
  const { exitCode, stdout } = await verify();
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/^verified: damaged\n {2}merged metadata: .*\n/m);
  expect(lowerOf(await client.prepare('after', 'verified'))).toHaveLength(1);
  expect(await readFile(image)).toEqual(sound);
  expect(await verify()).toMatchObject({ exitCode: 0 });
});
