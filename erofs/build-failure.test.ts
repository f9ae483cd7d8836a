import { execFileSync } from 'node:child_process';
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { buildImage, buildImageOfTree, isTemporaryImageName } from './build';
import { BytesContent, type ContentSource } from './writer/content';
import { SourceChangedError, UnrepresentableError } from './writer/errors';
import { directory, file } from './writer/testing/sample-tree';
import { ScratchDirectory } from './writer/testing/scratch-directory';
import type { DirectoryNode } from './writer/tree';

describe('a build that fails leaves nothing behind', () => {
  async function expectFailure(root: DirectoryNode, signal?: AbortSignal): Promise<unknown> {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir images');
    const error: unknown = await buildImageOfTree(root, {
      target: scratch.join('images/image'),
      signal,
    }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(readdirSync(scratch.join('images'))).toEqual([]);
    return error;
  }

  test.each([
    ['grows', (path: string) => writeFileSync(path, 'more', { flag: 'a' })],
    ['shrinks', (path: string) => truncateSync(path, 2)],
    ['is written to', (path: string) => writeFileSync(path, 'FIRST')],
    [
      'is replaced',
      (path: string) => execFileSync('bash', ['-c', `cp -p ${path} ${path}.new; mv ${path}.new ${path}`]),
    ],
    ['is removed', (path: string) => execFileSync('rm', [path])],
    ['becomes a fifo', (path: string) => execFileSync('bash', ['-c', `rm ${path}; mkfifo ${path}`])],
  ])('because a file %s meanwhile', async (_what, change) => {
    using scratch = new ScratchDirectory();
    scratch.shell(
      'mkdir source images; printf first > source/a; touch -d @1 source/a; printf second > source/b',
    );
    // `a` comes first, so the change hits `b` between the walk and its reading.
    const target = scratch.join('images/image');
    const controller = new AbortController();
    const started = buildImage({
      source: { directory: scratch.join('source'), overlay: false },
      target,
      signal: controller.signal,
    });
    // The tree of two files is read, and the build is under way, when the promise comes back: only contents remain.
    void started.catch(() => undefined);
    change(scratch.join('source/b'));
    await expect(started).rejects.toThrow(SourceChangedError);
    await expect(started).rejects.toThrow(/source\/b: /);
    expect(readdirSync(scratch.join('images'))).toEqual([]);
  });

  test('because a source gives less than it promised', async () => {
    const short = new BytesContent(Buffer.alloc(5000));
    const lying: ContentSource = { size: 9000, open: () => short.open() };
    const error = await expectFailure(directory({ d: directory({ lying: file(lying) }) }));
    expect(error).toBeInstanceOf(SourceChangedError);
    expect(error).toMatchObject({ path: '/d/lying', code: 'ERR_EROFS_SOURCE_CHANGED' });
  });

  test('because it is aborted while a large file is written', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let given = 0;
    const endless: ContentSource = {
      size: 2 ** 40,
      open: () => ({
        read: (target) => {
          given += target.fill(7).length;
          if (given > 50_000_000) controller.abort(reason);
          return target.length;
        },
        verify: () => undefined,
        [Symbol.dispose]: () => undefined,
      }),
    };
    expect(await expectFailure(directory({ endless: file(endless) }), controller.signal)).toBe(reason);
  });

  test('because the format cannot hold an attribute', async () => {
    const xattrs = [{ name: Buffer.from('user.too-large'), value: Buffer.alloc(65_536) }];
    const error = await expectFailure(directory({ d: directory({ f: { ...file('x'), xattrs } }) }));
    expect(error).toBeInstanceOf(UnrepresentableError);
    expect(String(error)).toMatch(/\/d\/f: .*user\.too-large.* 65536 bytes/);
  });

  test('because the disk is full', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir images; mount -t tmpfs -o size=1m tmpfs images');
    try {
      const root = directory({ big: file(new BytesContent(Buffer.alloc(5_000_000, 'x'))) });
      const build = buildImageOfTree(root, { target: scratch.join('images/image') });
      await expect(build).rejects.toMatchObject({
        code: 'ENOSPC',
        message: expect.stringContaining(scratch.join('images/.image.tmp-')) as string,
      });
      expect(readdirSync(scratch.join('images'))).toEqual([]);
    } finally {
      scratch.shell('umount images');
    }
  });
});

test('an unfinished image is told by its name', async () => {
  using scratch = new ScratchDirectory();
  const seen = new Set<string>();
  const watching: ContentSource = {
    size: 4,
    open: () => {
      for (const name of readdirSync(scratch.path)) seen.add(name);
      return new BytesContent(Buffer.from('text')).open();
    },
  };
  await buildImageOfTree(directory({ watching: file(watching) }), { target: scratch.join('image') });
  expect([...seen].map(isTemporaryImageName)).toEqual([true]);
  expect(readdirSync(scratch.path)).toEqual(['image']);
  expect(isTemporaryImageName('image')).toBe(false);
});
