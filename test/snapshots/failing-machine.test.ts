import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { status } from '@grpc/grpc-js';
import { LONG } from '../../linux/testing/long-trials';
import { toGrpcFailure, type GrpcFailure } from '../../snapshotter/errors';
import type { FailedCall } from '../harness/failing-calls-process';
import { openSnapshots, type OpenedSnapshots } from '../harness/faulty-snapshots';
import { noise } from '../harness/noise';
import { Scratch } from '../harness/scratch';
import { brokenInvariants } from '../harness/snapshots-invariants';

const PROCESS = join(__dirname, '..', 'harness', 'failing-calls-process.js');
const PRELOAD = join(__dirname, '..', 'harness', 'fault-points.js');

let scratch: Scratch;

beforeEach(async () => {
  scratch = await Scratch.make();
});

afterEach(async () => {
  await scratch[Symbol.asyncDispose]();
});

test.each([
  ['ENOSPC', ['RESOURCE_EXHAUSTED'], ''],
  ['ENOSPC', ['RESOURCE_EXHAUSTED'], 'lasting'],
  ['EIO', ['DATA_LOSS'], ''],
  ['EMFILE', ['RESOURCE_EXHAUSTED', 'UNAVAILABLE'], ''],
  ['ENOMEM', ['RESOURCE_EXHAUSTED'], ''],
  ['EROFS', ['FAILED_PRECONDITION'], ''],
  ['EROFS', ['FAILED_PRECONDITION'], 'lasting'],
])(
  '%s at any step of a call (%j, %s): it fails and names the file, nothing is left, and it works the next time',
  async (fault, statuses, duration) => {
    const root = scratch.in('root');
    const child = spawn(process.execPath, ['--require', PRELOAD, PROCESS, root, fault, duration], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ISHARE_TEST_FAULTS: scratch.in('plan') },
    });
    const ended = once(child, 'exit');
    const output = await text(child.stdout);
    expect(await ended).toEqual([0, null]);
    const results = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as FailedCall);
    expect(results.length).toBeGreaterThan(70);
    expect(results.filter(({ broken, again }) => broken.length > 0 || again !== '')).toEqual([]);
    const calls = new Set(results.map(({ call }) => call));
    expect(calls.size).toBe(LONG || (fault === 'ENOSPC' && duration === '') ? 9 : 8);
    for (const call of calls) {
      const failed = results.filter((result) => result.call === call && result.status !== 'OK');
      // What comes after the row is stored or deleted does not fail the call: Cleanup does it.
      expect(failed.map(({ point }) => point)).toEqual(failed.map((_result, index) => index + 1));
      expect(failed.at(-1)).toMatchObject({ operation: call === 'Unpacking of a layer' ? 'sync' : 'COMMIT' });
    }
    for (const result of results.filter((each) => each.status !== 'OK')) {
      expect(statuses).toContain(result.status);
      expect(result.details).toMatch(new RegExp(`${root}(/|-layer)`));
    }
  },
);

/** A file system of its own for the root directory, of 16 MiB. */
async function makeSmallRoot(): Promise<string> {
  const root = scratch.in('small');
  await mkdir(root);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m,mode=700', 'tmpfs', root]);
  return root;
}

async function failureOf(work: Promise<unknown>): Promise<GrpcFailure> {
  return toGrpcFailure(
    await work.then(
      () => new Error('the call succeeded'),
      (error: unknown) => error,
    ),
  );
}

/** Prepares a snapshot with 4 MB that cannot be made smaller. */
async function prepareLarge({ snapshots, store, paths }: OpenedSnapshots, key: string): Promise<void> {
  await snapshots.prepare({ key, parent: '', labels: {} });
  await writeFile(join(paths.upper(store.snapshots.find(key)!.id), 'large'), noise(key, 4_000_000));
}

test('a disk that is full: the commit names the image, leaves nothing, and works once there is room', async () => {
  const root = await makeSmallRoot();
  await using opened = await openSnapshots(root);
  const { snapshots, store, paths } = opened;
  await prepareLarge(opened, 'key');
  const ballast = join(root, 'ballast');
  execFileSync('sh', ['-c', 'head -c 10m /dev/zero > "$0"', ballast]);
  const commit = (): Promise<void> => snapshots.commit({ key: 'key', name: 'done', labels: {} });
  const { code, details } = await failureOf(commit());
  expect(status[code]).toBe('RESOURCE_EXHAUSTED');
  expect(details).toMatch(/^write .*\/images\/\S+erofs\S*: ENOSPC.*no space left on device/);
  expect(await readdir(paths.images)).toEqual([]);
  expect(await brokenInvariants(paths, store)).toEqual([]);
  await rm(ballast);
  await commit();
  await snapshots.cleanup();
  expect(await brokenInvariants(paths, store)).toEqual([]);
});

test('a root directory that becomes read-only: calls fail and say so, and work once it can be written to', async () => {
  const root = await makeSmallRoot();
  await using opened = await openSnapshots(root);
  const { snapshots, store, paths } = opened;
  await prepareLarge(opened, 'key');
  await prepareLarge(opened, 'other');
  const calls: readonly (() => Promise<unknown>)[] = [
    () => snapshots.prepare({ key: 'new', parent: '', labels: {} }),
    () => snapshots.commit({ key: 'key', name: 'done', labels: {} }),
    () => snapshots.remove('other'),
  ];
  // A file system that is being written to cannot be made read-only; the kernel does that itself after errors.
  execFileSync('mount', ['--bind', root, root]);
  execFileSync('mount', ['-o', 'remount,bind,ro', root]);
  for (const call of calls.slice(0, 2)) {
    const { code, details } = await failureOf(call());
    expect([status[code], details]).toEqual(['FAILED_PRECONDITION', expect.stringContaining(`${root}/`)]);
  }
  execFileSync('mount', ['-o', 'remount,bind,rw', root]);
  for (const call of calls) await call();
  await snapshots.cleanup();
  expect(await brokenInvariants(paths, store)).toEqual([]);
  expect([...store.snapshots.all()].map(({ name }) => name)).toEqual(['done', 'new']);
});
