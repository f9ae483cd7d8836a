import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { buildImage } from './build';
import { packError, unpackError } from './build-messages';
import { BuildWorkerCrashedError, ImageBuilder, ImageBuilderClosedError } from './build-worker';
import { ErofsDigestError } from './errors';
import { SystemCallError } from '../linux/errno';
import { DependentUpperError, UnrepresentableError } from './writer/errors';
import { ScratchDirectory } from './writer/testing/scratch-directory';

/** Threads of this process, as the kernel counts them. */
function threads(): number {
  return readdirSync('/proc/self/task').length;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not happen in 20 s');
    await setTimeout(20);
  }
}

function source(scratch: ScratchDirectory, script: string): { directory: string; overlay: boolean } {
  scratch.shell(`mkdir -p source images; cd source; ${script}`);
  return { directory: scratch.join('source'), overlay: true };
}

describe('an image built in a worker thread', () => {
  test('is the one that this thread builds', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'mkdir d; echo text > d/file; head -c 3000000 /dev/urandom > large');
    await using builder = new ImageBuilder({ concurrency: 1 });
    const there = await builder.build({ source: from, target: scratch.join('images/there') });
    const here = await buildImage({ source: from, target: scratch.join('images/here') });
    expect(there).toEqual(here);
    expect(readFileSync(scratch.join('images/there')).equals(readFileSync(scratch.join('images/here')))).toBe(
      true,
    );
  });

  test('reports its progress', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'echo text > file; head -c 3000000 /dev/urandom > large');
    await using builder = new ImageBuilder({ concurrency: 1 });
    const seen: unknown[] = [];
    await builder.build({
      source: from,
      target: scratch.join('images/i'),
      onProgress: (each) => seen.push(each),
    });
    expect(seen.at(-1)).toEqual({
      stage: 'writing',
      inodes: 3,
      totalInodes: 3,
      bytes: 3_000_005,
      totalBytes: 3_000_005,
    });
  });

  test('a young thread stays without work, and builds the next image', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'echo text > file');
    await using builder = new ImageBuilder({ concurrency: 1, idleTimeout: 1, leastAge: 60_000 });
    await builder.build({ source: from, target: scratch.join('images/first') });
    const one = threads();
    await setTimeout(500);
    expect(threads()).toBe(one);
    await builder.build({ source: from, target: scratch.join('images/second') });
    expect(threads()).toBe(one);
  });

  test('never has more threads than allowed, and none when idle', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'head -c 30000000 /dev/urandom > large');
    const before = threads();
    await using builder = new ImageBuilder({ concurrency: 2, idleTimeout: 100 });
    expect(threads()).toBe(before);
    // Node starts helper threads of its own with the first worker: count on what one adds.
    await builder.build({ source: from, target: scratch.join('images/first'), threads: 1 });
    const one = threads();
    let most = 0;
    const builds = Array.from({ length: 6 }, (_, index) =>
      builder.build({
        source: from,
        target: scratch.join(`images/${index}`),
        threads: 1,
        onProgress: () => (most = Math.max(most, threads())),
      }),
    );
    await Promise.all(builds);
    expect(most).toBeLessThanOrEqual(one + 1);
    expect(readdirSync(scratch.join('images')).sort()).toEqual(['0', '1', '2', '3', '4', '5', 'first']);
    await until(() => threads() < one);
    await builder.build({ source: from, target: scratch.join('images/after') });
  });

  test('fails with the error that the thread met: type, message, code', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'mkdir d; setfattr -n trusted.overlay.redirect -v /elsewhere d');
    await using builder = new ImageBuilder({ concurrency: 1 });
    const dependent = builder.build({ source: from, target: scratch.join('images/i') });
    await expect(dependent).rejects.toThrow(DependentUpperError);
    await expect(dependent).rejects.toMatchObject({
      code: 'ERR_EROFS_DEPENDENT_UPPER',
      path: scratch.join('source/d'),
      message: expect.stringContaining('trusted.overlay.redirect') as unknown,
    });
    const nothing = { directory: scratch.join('nothing'), overlay: true };
    const absent = builder.build({ source: nothing, target: scratch.join('images/i') });
    await expect(absent).rejects.toMatchObject({
      code: 'ENOENT',
      syscall: 'lstat',
      path: scratch.join('nothing'),
    });
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });

  test('is aborted while it is built, and the next one is built', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'truncate -s 50G endless');
    await using builder = new ImageBuilder({ concurrency: 1 });
    const controller = new AbortController();
    const target = scratch.join('images/i');
    const build = builder.build({ source: from, target, signal: controller.signal });
    void build.catch(() => undefined);
    await until(() => readdirSync(scratch.join('images')).length === 1);
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await expect(build).rejects.toBe(reason);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
    scratch.shell('rm source/endless');
    await expect(builder.build({ source: from, target })).resolves.toMatchObject({ inodes: 1 });
  });

  test('is aborted while it waits for its turn', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'truncate -s 50G endless');
    await using builder = new ImageBuilder({ concurrency: 1 });
    const first = new AbortController();
    const second = new AbortController();
    const builds = [first, second].map(async ({ signal }, index) =>
      builder.build({ source: from, target: scratch.join(`images/${index}`), signal }),
    );
    builds.forEach((each) => void each.catch(() => undefined));
    second.abort();
    await expect(builds[1]).rejects.toHaveProperty('name', 'AbortError');
    first.abort();
    await expect(builds[0]).rejects.toHaveProperty('name', 'AbortError');
  });

  test('is given up, with those that wait, when the builder is closed', async () => {
    using scratch = new ScratchDirectory();
    const from = source(scratch, 'truncate -s 50G endless');
    const builder = new ImageBuilder({ concurrency: 1 });
    const builds = [0, 1].map(async (index) =>
      builder.build({ source: from, target: scratch.join(`images/${index}`) }),
    );
    builds.forEach((each) => void each.catch(() => undefined));
    await until(() => readdirSync(scratch.join('images')).length === 1);
    await builder[Symbol.asyncDispose]();
    for (const build of builds) await expect(build).rejects.toThrow(ImageBuilderClosedError);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
    await expect(builder.build({ source: from, target: scratch.join('images/2') })).rejects.toThrow(
      ImageBuilderClosedError,
    );
  });

  test('is rejected, and its rest removed, when its thread crashes', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    const many = 'mkdir many; cd many; seq 150000 | xargs touch';
    const from = source(scratch, `${many}; touch ../../images/.unfinished`);
    await using builder = new ImageBuilder({ concurrency: 1, heapLimit: 24 });
    const target = scratch.join('images/i');
    const build = builder.build({ source: from, target, temporary: '.unfinished' });
    await expect(build).rejects.toThrow(BuildWorkerCrashedError);
    await expect(build).rejects.toMatchObject({ cause: { code: 'ERR_WORKER_OUT_OF_MEMORY' } });
    expect(readdirSync(scratch.join('images'))).toEqual([]);
    scratch.shell('rm -r source/many');
    await expect(builder.build({ source: from, target })).resolves.toMatchObject({ inodes: 1 });
  });
});

describe('an error between threads', () => {
  test.each([
    new UnrepresentableError('/a/file', 'is too odd', { cause: new SystemCallError('open', 13, '/a/file') }),
    new RangeError('too much'),
    Object.assign(new Error('ENOENT: gone'), { code: 'ENOENT', errno: -2, syscall: 'open', path: '/gone' }),
  ])('stays what it is: %s', (error) => {
    const arrived = unpackError(structuredClone(packError(error)));
    expect(arrived).toBeInstanceOf(error.constructor);
    expect(arrived).toEqual(error);
    expect(Object.entries(arrived).sort()).toEqual(Object.entries(error).sort());
    expect([arrived.name, arrived.message, arrived.stack]).toEqual([error.name, error.message, error.stack]);
    if (error.cause !== undefined) expect(arrived.cause).toBeInstanceOf(SystemCallError);
  });

  test('about digests keeps its place and both of them', () => {
    const digests = { expected: 'aa', actual: 'bb' };
    const error = new ErofsDigestError({ image: '/image', offset: 4096, field: 'image' }, 'differs', digests);
    const arrived = unpackError(structuredClone(packError(error)));
    expect(arrived).toBeInstanceOf(ErofsDigestError);
    expect(arrived).toMatchObject({ ...digests, code: 'EIO', offset: 4096, message: error.message });
  });

  test('that is no error arrives as one', () => {
    expect(unpackError(packError('just words'))).toMatchObject({ message: 'just words' });
  });
});
