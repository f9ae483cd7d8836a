import { once } from 'node:events';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { credentials, status } from '@grpc/grpc-js';
import { ImageBuilder } from '../../erofs/build-worker';
import { connectSnapshots, Kind } from '../../proto/snapshots';
import type { LayerImageBuilder } from '../../snapshotter/image-building';
import { mountSnapshot } from '../harness/mounting';
import { codeName, codeOf } from '../harness/snapshots-connection';
import { brokenInvariants } from '../harness/snapshots-invariants';
import { useSnapshotter } from '../harness/snapshotter-fixture';

const here = useSnapshotter();

/** A builder that waits before each build; `release` lets one go on. */
function gatedBuilder(): {
  builder: LayerImageBuilder & AsyncDisposable;
  started: Promise<void>;
  release: () => void;
} {
  const real = new ImageBuilder({ concurrency: 1 });
  let begin = (): void => undefined;
  let release = (): void => undefined;
  const started = new Promise<void>((resolve) => (begin = resolve));
  const gate = new Promise<void>((resolve) => (release = resolve));
  const builder: LayerImageBuilder & AsyncDisposable = {
    build: async (request) => {
      begin();
      const aborted = request.signal && once(request.signal, 'abort');
      await Promise.race([gate, ...(aborted ? [aborted] : [])]);
      return real.build(request);
    },
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
  return { builder, started, release: () => release() };
}

describe('calls at the same time', () => {
  test('about one new key: one makes it, the others find it taken', async () => {
    await here.commitLayer('base');
    const calls = Array.from({ length: 10 }, (_, index) =>
      (index % 2 === 0 ? here.client.prepare('k', 'base') : here.client.view('k', 'base')).then(
        () => 'made',
        codeName,
      ),
    );
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((outcome) => outcome === 'made')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'ALREADY_EXISTS')).toHaveLength(9);
    await here.client.cleanup();
    expect(await brokenInvariants(here.paths, here.parts.store)).toEqual([]);
  });

  test('a second commit of a key is refused while the first runs', async () => {
    const { builder, started, release } = gatedBuilder();
    await here.start({ builder });
    await here.client.prepare('k');
    const first = here.client.commit('one', 'k');
    await started;
    expect(await codeOf(here.client.commit('two', 'k'))).toBe('FAILED_PRECONDITION');
    release();
    await first;
    expect((await here.client.list()).map(({ name }) => name)).toEqual(['one']);
    await builder[Symbol.asyncDispose]();
  });

  test('removing a key while it is committed leaves the committed snapshot whole', async () => {
    const { builder, started, release } = gatedBuilder();
    await here.start({ builder });
    await here.client.prepare('k');
    await writeFile(join(here.upperOf('k'), 'content'), 'x');
    const commit = here.client.commit('done', 'k');
    await started;
    const removal = codeOf(here.client.remove('k'));
    const cleanup = here.client.cleanup();
    await pause(50);
    release();
    await commit;
    expect(await removal).toBe('NOT_FOUND');
    await cleanup;
    await here.client.cleanup();
    expect(await brokenInvariants(here.paths, here.parts.store)).toEqual([]);
    using mounted = await mountSnapshot(await here.client.view('v', 'done'), here.scratch.in('mnt'));
    expect(await readdir(mounted.path)).toEqual(['content']);
    await builder[Symbol.asyncDispose]();
  });

  test('a commit whose client goes away is given up, and can be made again', async () => {
    const { builder, started, release } = gatedBuilder();
    await here.start({ builder });
    await here.client.prepare('k');
    const raw = connectSnapshots(`unix:${here.parts.socket}`, credentials.createInsecure());
    const outcome = new Promise<number | undefined>((resolve) => {
      const call = raw.Commit({ name: 'done', key: 'k' }, {}, (error) => resolve(error?.code));
      void started.then(() => call.cancel());
    });
    expect(await outcome).toBe(status.CANCELLED);
    raw.close();
    // Calls about the key wait for the commit that is being given up.
    expect(await here.client.mounts('k')).toHaveLength(1);
    expect(await codeOf(here.client.stat('done'))).toBe('NOT_FOUND');
    expect(await readdir(here.paths.images)).toEqual([]);
    release();
    await here.client.commit('done', 'k');
    await builder[Symbol.asyncDispose]();
  });

  test('a build that fails leaves the active snapshot as it was', async () => {
    const real = new ImageBuilder({ concurrency: 1 });
    let failures = 1;
    await here.start({
      builder: {
        build: (request) => {
          failures -= 1;
          if (failures >= 0) return Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
          return real.build(request);
        },
      },
    });
    await here.client.prepare('k');
    await writeFile(join(here.upperOf('k'), 'content'), 'x');
    expect(await codeOf(here.client.commit('done', 'k'))).toBe('RESOURCE_EXHAUSTED');
    expect((await here.client.stat('k')).kind).toBe(Kind.ACTIVE);
    expect(await readdir(here.paths.images)).toEqual([]);
    await here.client.commit('done', 'k');
    expect((await here.client.usage('done')).inodes).toBe(2);
    await real[Symbol.asyncDispose]();
  });

  test('of every kind, at random, keep disk and metadata in agreement', async () => {
    await here.commitLayer('base');
    const keys = ['k0', 'k1', 'k2', 'k3'];
    const names = ['n0', 'n1', 'n2'];
    let seed = 12345;
    const pick = <Item>(items: readonly Item[]): Item => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return items[(seed >> 8) % items.length]!;
    };
    const calls: (() => Promise<unknown>)[] = [
      () => here.client.prepare(pick(keys), pick(['', 'base', ...names])),
      () => here.client.view(pick(keys), pick(['', 'base', ...names])),
      () => here.client.commit(pick(names), pick(keys)),
      () => here.client.remove(pick([...keys, ...names])),
      () => here.client.mounts(pick(keys)),
      () => here.client.usage(pick([...keys, ...names])),
      () => here.client.update({ name: pick([...keys, ...names]), labels: { l: '1' } }),
      () => here.client.cleanup(),
      () => here.client.list(),
    ];
    const expected = new Set([
      'NOT_FOUND',
      'ALREADY_EXISTS',
      'FAILED_PRECONDITION',
      'INVALID_ARGUMENT',
      'done',
    ]);
    for (let round = 0; round < 20; round++) {
      const outcomes = await Promise.all(
        Array.from({ length: 12 }, () => pick(calls)().then(() => 'done', codeName)),
      );
      for (const outcome of outcomes) expect(expected).toContain(outcome);
    }
    await here.client.cleanup();
    expect(await brokenInvariants(here.paths, here.parts.store)).toEqual([]);
  }, 120_000);
});
