import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { VerifiedFile } from '../image-trust';
import {
  digestOfBytes,
  fingerprintOf,
  forge,
  hollowOut,
  makeReadyMade,
  shortenFingerprint,
} from './testing/ready-made';
import type { Verdict } from './verdict';
import { Verifier, type VerificationOrder } from './verifier';

const GIB = 1024 ** 3;
const LONG = Buffer.alloc(3_000_000, 'long');

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'verifier-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

/** A verifier with what it tells. */
class Observed implements AsyncDisposable {
  readonly verdicts: { readonly order: VerificationOrder; readonly verdict: Verdict }[] = [];
  readonly verified = new Map<VerificationOrder, VerifiedFile[]>();
  readonly verifier = new Verifier({
    onBatch: (order: VerificationOrder, { verified }) => {
      this.verified.set(order, [...(this.verified.get(order) ?? []), ...verified]);
    },
    onVerdict: (order, verdict) => this.verdicts.push({ order, verdict }),
  });

  async wait(done: () => boolean): Promise<void> {
    const end = Date.now() + 20_000;
    while (!done()) {
      if (Date.now() > end) throw new Error('the verifier does not come to an end');
      await sleep(5);
    }
  }

  /** The verdict on one image, alone. */
  async verdict(imagePath: string): Promise<Verdict> {
    const order = { imagePath };
    this.verifier.enqueue(order);
    await this.wait(() => this.verdicts.some((found) => found.order === order));
    return this.verdicts.find((found) => found.order === order)!.verdict;
  }

  digests(): string[] {
    return [...this.verified.values()].flat().map(({ fingerprint }) => fingerprint);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.verifier[Symbol.asyncDispose]();
  }
}

function make(name: string, files: Parameters<typeof makeReadyMade>[1]): Promise<string> {
  return makeReadyMade(path.join(directory, name), files);
}

/** Takes the verifier minutes. */
async function makeEndless(name: string): Promise<string> {
  const image = await make(name, { first: 'first', hollow: 'hollow' });
  await hollowOut(image, 'hollow', 60 * GIB);
  return image;
}

test('an image whose fingerprints are right is verified, with what each content really has', async () => {
  await using observed = new Observed();
  const image = await make('right', { empty: '', small: 'small', 'below/long': LONG });
  expect(await observed.verdict(image)).toEqual({
    kind: 'verified',
    files: 2,
    bytes: 5 + LONG.length,
    // The writer gives empty files no fingerprint.
    unclaimed: 1,
    malformed: undefined,
  });
  expect(observed.digests().sort()).toEqual(['small', LONG].map(digestOfBytes).sort());
});

test('a file that claims the content of another one is named, with both digests', async () => {
  await using observed = new Observed();
  const image = await make('forged', { 'dir/victim': 'victim', 'dir/evil': 'EVIL!!' });
  await forge(image, 'dir/evil', fingerprintOf('victim'));
  expect(await observed.verdict(image)).toEqual({
    kind: 'forged',
    path: '/dir/evil',
    claimed: digestOfBytes('victim'),
    actual: digestOfBytes('EVIL!!'),
  });
  expect(observed.digests()).not.toContain(digestOfBytes('EVIL!!'));
});

test('malformed fingerprints are counted and the first is named; the image is verified without them', async () => {
  await using observed = new Observed();
  const image = await make('malformed', { right: 'right', short: 'short', weak: 'weak' });
  await shortenFingerprint(image, 'short');
  await forge(image, 'weak', Buffer.concat([Buffer.from('md5:'), Buffer.alloc(35, 'x')]));
  expect(await observed.verdict(image)).toMatchObject({
    kind: 'verified',
    files: 1,
    malformed: { files: 2, first: expect.stringMatching(/^\/(short|weak)$/) as string },
  });
  expect(observed.digests()).toEqual([digestOfBytes('right')]);
});

test('an image without fingerprints is verified, with nothing to share', async () => {
  await using observed = new Observed();
  const plain = path.join(__dirname, '../../../test/fixtures/erofs/plain.erofs');
  const verdict = await observed.verdict(plain);
  expect(verdict).toMatchObject({ kind: 'verified', files: 0, bytes: 0 });
  expect(verdict.kind === 'verified' && verdict.unclaimed).toBeGreaterThan(0);
});

test.each([
  ['that ends early', (image: string, length: number) => truncate(image, length - 8192)],
  ['without a superblock', (image: string) => writeFile(image, Buffer.alloc(8192))],
  ['that claims more content than is ever checked', (image: string) => hollowOut(image, 'long', 2 ** 52)],
])('an image %s is unreadable', async (_what, damage) => {
  await using observed = new Observed();
  const image = await make('damaged', { long: LONG });
  await damage(image, (await readFile(image)).length);
  expect(await observed.verdict(image)).toMatchObject({ kind: 'unreadable' });
});

test('a file that is not there says nothing about an image, and the verifier goes on', async () => {
  await using observed = new Observed();
  expect(await observed.verdict(path.join(directory, 'missing'))).toMatchObject({
    kind: 'failed',
    problem: expect.stringContaining('ENOENT') as string,
  });
  expect(await observed.verdict(await make('right', { file: 'file' }))).toMatchObject({ kind: 'verified' });
});

test('images are verified one after another, in the order in which they came', async () => {
  await using observed = new Observed();
  const orders = [];
  for (const name of ['one', 'two', 'three']) orders.push({ imagePath: await make(name, { [name]: name }) });
  for (const order of orders) observed.verifier.enqueue(order);
  expect(observed.verifier.state).toMatchObject({ current: { order: orders[0] }, waiting: orders.slice(1) });
  await observed.wait(() => observed.verdicts.length === 3);
  expect(observed.verdicts.map(({ order }) => order)).toEqual(orders);
  expect(observed.verifier.state).toEqual({ current: undefined, waiting: [] });
});

test('an image that comes in the moment of a verdict waits for its turn like all others', async () => {
  const first = { imagePath: await make('first', { first: 'first' }) };
  const later = [
    { imagePath: await makeEndless('endless') },
    { imagePath: await make('later', { later: 'later' }) },
  ];
  const states: unknown[] = [];
  await using verifier = new Verifier({
    onBatch: () => undefined,
    onVerdict: () => {
      for (const order of later) verifier.enqueue(order);
      setImmediate(() => states.push(verifier.state));
    },
  });
  verifier.enqueue(first);
  for (let tries = 0; states.length === 0 && tries < 4000; tries++) await sleep(5);
  expect(states).toMatchObject([{ current: { order: later[0] }, waiting: [later[1]] }]);
});

test('what has been verified is known while the rest still is at work, and gone when that is given up', async () => {
  await using observed = new Observed();
  const order = { imagePath: await makeEndless('endless') };
  const next = { imagePath: await make('next', { next: 'next' }) };
  observed.verifier.enqueue(order);
  observed.verifier.enqueue(next);
  await observed.wait(() => observed.verifier.verifiedFiles(order).length > 0);
  expect(observed.verifier.verifiedFiles(order).map(({ fingerprint }) => fingerprint)).toEqual([
    digestOfBytes('first'),
  ]);
  expect(observed.verifier.verifiedFiles(next)).toEqual([]);
  observed.verifier.cancel(order);
  await observed.wait(() => observed.verdicts.length === 1);
  expect(observed.verdicts[0]).toMatchObject({ order: next, verdict: { kind: 'verified' } });
  expect(observed.verifier.verifiedFiles(order)).toEqual([]);
});

test('an image that waits can be given up too', async () => {
  await using observed = new Observed();
  const endless = { imagePath: await makeEndless('endless') };
  const waiting = { imagePath: await make('waiting', { file: 'file' }) };
  observed.verifier.enqueue(endless);
  observed.verifier.enqueue(waiting);
  observed.verifier.cancel(waiting);
  expect(observed.verifier.state.waiting).toEqual([]);
});

test('disposing ends a verification in the middle, without a verdict', async () => {
  const observed = new Observed();
  const order = { imagePath: await makeEndless('endless') };
  observed.verifier.enqueue(order);
  await observed.wait(() => observed.verifier.verifiedFiles(order).length > 0);
  await observed[Symbol.asyncDispose]();
  expect(observed.verdicts).toEqual([]);
  observed.verifier.enqueue(order);
  expect(observed.verifier.state).toEqual({ current: undefined, waiting: [] });
});

test('disposing of one that has just begun waits for its thread', async () => {
  const observed = new Observed();
  observed.verifier.enqueue({ imagePath: await makeEndless('endless') });
  await observed[Symbol.asyncDispose]();
  expect(observed.verdicts).toEqual([]);
});

test('its thread, and no other, has the lowest priority', async () => {
  await using observed = new Observed();
  const before = await niceValues();
  const order = { imagePath: await makeEndless('endless') };
  observed.verifier.enqueue(order);
  await observed.wait(() => observed.verifier.verifiedFiles(order).length > 0);
  const after = await niceValues();
  expect(after.filter((nice) => nice === 19)).toHaveLength(before.filter((nice) => nice === 19).length + 1);
});

/** Of all threads of this process (proc_pid_stat(5), field 19). */
async function niceValues(): Promise<number[]> {
  const threads = await readdir('/proc/self/task');
  const stats = await Promise.all(
    threads.map((id) => readFile(`/proc/self/task/${id}/stat`, 'latin1').catch(() => '')),
  );
  return stats
    .filter((stat) => stat !== '')
    .map((stat) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]));
}
