import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { Kind } from '../../proto/snapshots';
import { mountSnapshot } from '../harness/mounting';
import { failureOf } from '../harness/snapshots-connection';
import {
  type Change,
  changes,
  directory,
  file,
  linked,
  owned,
  removed,
  renamed,
  treeOf,
} from '../harness/tree';
import { LABELS, type SuiteContext } from './suite-context';
import { LONG } from '../../linux/testing/long-trials';

const LAYERS = 128;
/** Comparing takes the most of the time of such a chain. */
const COMPARED_EVERY = LONG ? 1 : 16;
const LONG_MS = 300_000;

/** The behaviours that are about files: what is written through one mount must be seen through the others. */
export function testContent(context: () => SuiteContext): void {
  test('Basic: content goes through prepare, commit and view; a parent with a child stays', async () => {
    const first = changes(file('foo', 'foo\n', 0o777), directory('a'), directory('a/b'), directory('a/b/c'));
    const second = changes(file('bar', 'bar\n', 0o777), file('foo', 'bar\n', 0o777), removed('a/b'));
    const flat = context().scratch.in('flat');
    await mkdir(flat);

    await context().layer('committed', '', first);
    const committed = await context().client.stat('committed');
    expect(committed).toMatchObject({ parent: '', kind: Kind.COMMITTED });
    expect((await failureOf(context().client.stat('committed-prepare'))).code).toBe(status.NOT_FOUND);

    const mounts = await context().client.prepare('next-key', 'committed', LABELS);
    {
      using mounted = await mountSnapshot(mounts, context().scratch.in('next'));
      await first(flat);
      expect(await treeOf(mounted.path)).toEqual(await treeOf(flat));
      await second(mounted.path);
    }
    expect(await context().client.stat('next-key')).toMatchObject({ parent: 'committed', kind: Kind.ACTIVE });
    await context().client.commit('next', 'next-key', LABELS);
    const next = await context().client.stat('next');
    expect(next).toMatchObject({ parent: 'committed', kind: Kind.COMMITTED });
    expect((await failureOf(context().client.stat('next-key'))).code).toBe(status.NOT_FOUND);
    expect(await context().client.list()).toEqual([committed, next]);

    await second(flat);
    expect(await context().treeOfView('next')).toEqual(await treeOf(flat));

    const refusal = await failureOf(context().client.remove('committed'));
    expect(refusal.code).toBe(status.FAILED_PRECONDITION);
    expect(refusal.details).toContain('remove');
    await context().client.remove('next');
    await context().client.remove('committed');
    expect(await context().client.list()).toEqual([]);
  });

  test(
    'LayerFileupdate: a rewrite of the same size is seen, whenever it happens',
    async () => {
      const first = changes(
        directory('etc', 0o700),
        file('etc/hosts', 'mydomain 10.0.0.1'),
        file('etc/profile', 'PATH=/usr/bin'),
      );
      const second = changes(
        file('etc/hosts', 'mydomain 10.0.0.2'),
        file('etc/profile', 'PATH=/usr/bin', 0o666),
        directory('root', 0o700),
        file('root/.bashrc', 'PATH=/usr/sbin:/usr/bin'),
      );
      for (let round = 0; round < 5; round++) {
        await context().expectChain(`round${round}`, first, second);
        // The next round begins at the start of a second, where time stamps of whole seconds have just changed.
        await new Promise((resolve) => setTimeout(resolve, 1000 - (Date.now() % 1000)));
      }
    },
    LONG_MS,
  );

  test('RemoveDirectoryInLowerLayer: a directory made anew hides the one below', () =>
    context().expectChain(
      'chain',
      changes(directory('lib', 0o700), file('lib/hidden', '')),
      changes(removed('lib'), directory('lib', 0o700), file('lib/not-hidden', '')),
      file('lib/newfile', ''),
    ));

  test('Chown: owners of directories and files below', () =>
    context().expectChain(
      'chain',
      changes(
        directory('opt', 0o700),
        directory('opt/a', 0o700),
        directory('opt/a/b', 0o700),
        file('opt/a/b/file.txt', 'hello'),
      ),
      changes(...['opt', 'opt/a', 'opt/a/b', 'opt/a/b/file.txt'].map((path) => owned(path, 1, 1))),
    ));

  test('DirectoryPermissionOnCommit: owners of directories that were changed, removed and made again', () =>
    context().expectChain(
      'chain',
      changes(
        ...[1, 2, 3, 4, 5].map((number) => directory(`dir${number}`, 0o700)),
        file('dir4/f1', '...'),
        file('dir5/f1', '...'),
        ...['dir1', 'dir2', 'dir3', 'dir5', 'dir5/f1'].map((path) => owned(path, 1, 1)),
      ),
      changes(owned('dir2', 0, 0), removed('dir3'), owned('dir4', 1, 1), owned('dir4/f1', 1, 1)),
      changes(
        directory('dir3', 0o700),
        owned('dir3', 1, 1),
        removed('dir5'),
        directory('dir5', 0o700),
        owned('dir5', 1, 1),
      ),
    ));

  test('DeletedFilesInChildSnapshot: what a layer deletes stays deleted', () =>
    context().expectChain(
      'chain',
      changes(file('foo', 'foo\n', 0o777), file('foobar', 'foobar\n', 0o777)),
      removed('foobar'),
      changes(),
    ));

  test('MoveFileFromLowerLayer: files that move to other directories, by copy and by link', () =>
    context().expectChain(
      'chain',
      changes(
        directory('dir1', 0o700),
        file('dir1/f1', 'Hello'),
        directory('dir2', 0o700),
        file('dir2/f2', '...'),
      ),
      changes(
        directory('dir3', 0o700),
        file('dir3/f1', 'Hello'),
        removed('dir1'),
        linked('dir2/f2', 'dir3/f2'),
        removed('dir2/f2'),
      ),
    ));

  test('Rename: files of the layer below, over each other and to new names', () =>
    context().expectChain(
      'chain',
      changes(
        directory('dir1', 0o700),
        directory('somefiles', 0o700),
        file('somefiles/f1', 'was here first!'),
        file('somefiles/f2', 'nothing interesting'),
      ),
      changes(
        file('somefiles/f1-overwrite', 'new content 1'),
        renamed('somefiles/f1-overwrite', 'somefiles/f1'),
        renamed('somefiles/f2', 'somefiles/f3'),
      ),
    ));

  test('Rename: a directory of the layer below cannot be renamed, as in every overlay without redirects', async () => {
    await context().layer('base', '', directory('dir1', 0o700));
    using mounted = await mountSnapshot(
      await context().client.prepare('key', 'base', LABELS),
      context().scratch.in('mnt'),
    );
    await expect(renamed('dir1', 'dir2')(mounted.path)).rejects.toMatchObject({ code: 'EXDEV' });
  });

  test('ViewReadonly: a mounted view refuses writes', async () => {
    await context().client.prepare('preparing', '', LABELS);
    await context().client.commit('committed', 'preparing', LABELS);
    const mounts = await context().client.view('view', 'committed', LABELS);
    {
      using mounted = await mountSnapshot(mounts, context().scratch.in('view'));
      const write = writeFile(join(mounted.path, 'testfile'), 'testcontent');
      await expect(write).rejects.toMatchObject({ code: 'EROFS' });
    }
    await context().client.remove('view');
    await context().client.remove('committed');
  });

  test('RootPermission: the root directory has mode 0755', async () => {
    using mounted = await mountSnapshot(
      await context().client.prepare('preparing', '', LABELS),
      context().scratch.in('mnt'),
    );
    expect((await stat(mounted.path)).mode & 0o7777).toBe(0o755);
  });

  test(
    '128LayersMount: a chain of 128 layers mounts and equals a flat tree on the way and at its end',
    async () => {
      const flat = context().scratch.in('flat');
      await mkdir(flat);
      let parent = '';
      for (let index = 0; index < LAYERS; index++) {
        const change = index === 0 ? lowestOfMany() : oneOfMany(index);
        const key = `prepare-${index}`;
        const mounts = await context().client.prepare(key, parent, LABELS);
        const compared = index % COMPARED_EVERY === 0;
        {
          using mounted = await mountSnapshot(mounts, context().scratch.in('layer'));
          if (compared) expect(await treeOf(mounted.path)).toEqual(await treeOf(flat));
          await change(flat);
          await change(mounted.path);
          if (compared) expect(await treeOf(mounted.path)).toEqual(await treeOf(flat));
        }
        parent = `committed-${index}`;
        await context().client.commit(parent, key, LABELS);
      }
      expect(await context().treeOfView(parent)).toEqual(await treeOf(flat));
    },
    LONG_MS,
  );
}

function lowestOfMany(): Change {
  return changes(
    file('bottom', 'way at the bottom\n', 0o777),
    file('overwriteme', 'FIRST!\n', 0o777),
    directory('addhere'),
    directory('onlyme'),
    file('onlyme/bottom', 'bye!\n', 0o777),
  );
}

function oneOfMany(index: number): Change {
  return changes(
    file('overwriteme', `${index} WAS HERE!\n`, 0o777),
    file(`addhere/file-${index}`, 'same\n', 0o755),
    removed('onlyme'),
    directory('onlyme'),
    file(`onlyme/file-${index}`, 'only me!\n', 0o777),
  );
}
