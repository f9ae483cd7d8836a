import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { mountSnapshot } from '../harness/mounting';
import { codeOf } from '../harness/snapshots-connection';
import { brokenInvariants } from '../harness/snapshots-invariants';
import { useSnapshotter } from '../harness/snapshotter-fixture';

const here = useSnapshotter();

describe('a new start', () => {
  test('finds everything as it was, and the layers of active snapshots attached before anybody asks', async () => {
    await here.commitLayer('base');
    await here.commitLayer('top', 'base');
    await here.client.prepare('active', 'top', { l: '1' });
    await writeFile(join(here.upperOf('active'), 'mine'), 'kept');
    const infos = await here.client.list();
    await here.start();
    expect(here.parts.layers.mounted).toHaveLength(2);
    expect(await here.client.list()).toEqual(infos);
    using mounted = await mountSnapshot(await here.client.mounts('active'), here.scratch.in('mnt'));
    expect((await readdir(mounted.path)).sort()).toEqual(['content', 'mine']);
  });

  test('clears what no snapshot owns, and nothing else', async () => {
    await here.commitLayer('base');
    await here.client.prepare('active', 'base');
    const { id } = here.parts.store.snapshots.find('active')!;
    await here.stop();
    for (const name of ['999.erofs', '.7.erofs.tmp-0123456789abcdef', 'stray', `${id}.erofs`]) {
      await writeFile(join(here.paths.images, name), 'x');
    }
    await mkdir(join(here.paths.snapshots, '998', 'fs'), { recursive: true });
    await mkdir(join(here.paths.trash, 'old', 'tree'), { recursive: true });
    await here.start();
    await here.client.cleanup();
    expect(await brokenInvariants(here.paths, here.parts.store)).toEqual([]);
    expect((await here.client.list()).map(({ name }) => name)).toEqual(['base', 'active']);
  });

  test('makes directories anew that a power failure took', async () => {
    await here.commitLayer('base');
    await here.client.prepare('active', 'base');
    await here.stop();
    await rm(here.paths.snapshots, { recursive: true });
    await here.start();
    using mounted = await mountSnapshot(await here.client.mounts('active'), here.scratch.in('mnt'));
    expect(await readdir(mounted.path)).toEqual(['content']);
  });

  test('goes on although an image is lost: only what needs it fails', async () => {
    await here.commitLayer('base');
    await here.commitLayer('other');
    const { id } = here.parts.store.snapshots.find('base')!;
    await here.client.prepare('active', 'base');
    await here.stop();
    await rm(here.paths.image(id));
    await here.start();
    expect(await codeOf(here.client.mounts('active'))).not.toBe('NOT_FOUND');
    await here.client.prepare('fine', 'other');
    await here.client.remove('active');
    await here.client.remove('base');
  });

  test('after being killed at any moment finds every snapshot whole or not at all', async () => {
    await here.stop();
    for (let round = 0; round < 6; round++) {
      const child = spawn(
        process.execPath,
        [join(__dirname, '..', 'harness', 'churn-process.js'), here.paths.root, `r${round}`],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      await pause(20 + ((round * 37) % 150));
      child.kill('SIGKILL');
      expect((await ended)[1]).toBe('SIGKILL');
      await here.start();
      await here.client.cleanup();
      expect(await brokenInvariants(here.paths, here.parts.store)).toEqual([]);
      const committed = (await here.client.list('kind==committed')).map(({ name }) => name);
      const newest = committed.at(-1);
      if (newest !== undefined) {
        const mounts = await here.client.view(`check-${round}`, newest);
        using mounted = await mountSnapshot(mounts, here.scratch.in('mnt'));
        expect((await stat(join(mounted.path, 'content'))).size).toBeGreaterThan(0);
      }
      await here.stop();
    }
  }, 120_000);
});
