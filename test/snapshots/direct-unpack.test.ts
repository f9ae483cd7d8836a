import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { verifyImageFile } from '../../erofs/digests/image-verification';
import { TYPE } from '../../erofs/writer/tar/header';
import {
  directoryMember,
  END,
  header,
  linkMember,
  member,
  pax,
  symlinkMember,
} from '../../erofs/writer/tar/testing/craft-tar';
import { mount } from '../../linux/mount';
import { eventually } from '../../linux/testing/eventually';
import type { Mount } from '../../proto/snapshots';
import { DiffConnection, sha256, storeBlob, type LayerDescriptor } from '../harness/diff-connection';
import { mountSnapshot } from '../harness/mounting';
import { codeName, codeOf, failureOf } from '../harness/snapshots-connection';
import { brokenInvariants } from '../harness/snapshots-invariants';
import { useSnapshotter } from '../harness/snapshotter-fixture';

const fixture = useSnapshotter();

let diff: DiffConnection;

beforeEach(() => {
  diff = new DiffConnection(fixture.parts.socket);
});

afterEach(() => {
  diff[Symbol.dispose]();
});

/** The server again, with clients that know it. */
async function restart(): Promise<void> {
  diff[Symbol.dispose]();
  await fixture.start();
  diff = new DiffConnection(fixture.parts.socket);
}

function store(...parts: readonly Buffer[]): LayerDescriptor {
  return storeBlob(fixture.parts.contentRoot, gzipSync(Buffer.concat(parts)));
}

/** Applies a layer to a new snapshot and commits that. */
async function unpack(name: string, parent: string, layer: LayerDescriptor): Promise<void> {
  await diff.apply(layer, await fixture.client.prepare(`${name}-key`, parent));
  await fixture.client.commit(name, `${name}-key`);
}

/** A snapshot's tree, through its mounts. */
async function mounted<Result>(name: string, look: (path: string) => Result): Promise<Result> {
  const mounts = await fixture.client.view(`${name}-view`, name);
  using seen = await mountSnapshot(mounts, fixture.scratch.in(`${name}-tree`));
  return look(seen.path);
}

/** Every file below the root directory but the database's. */
function filesBelowRoot(): string[] {
  return execFileSync('find', [fixture.paths.root, '-not', '-name', 'metadata.db*'], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .sort();
}

const layer = (): LayerDescriptor =>
  store(directoryMember('etc', { mode: 0o711 }), member({ name: 'etc/file', mode: 0o640 }, 'text'), END);

test('a layer becomes an image without a file of its own, and commit takes it as one that was built here', async () => {
  const tar = Buffer.concat([
    member({ name: 'file' }, 'x'.repeat(100_000)),
    symlinkMember('link', 'file'),
    END,
  ]);
  const mounts = await fixture.client.prepare('key');
  expect(await diff.apply(storeBlob(fixture.parts.contentRoot, gzipSync(tar)), mounts)).toEqual({
    media_type: 'application/vnd.oci.image.layer.v1.tar',
    digest: sha256(tar),
    size: tar.length,
  });
  expect(readdirSync(fixture.upperOf('key'))).toEqual([]);
  await fixture.client.commit('done', 'key');
  const { store: rows, paths } = fixture.parts;
  const snapshot = rows.snapshots.find('done')!;
  expect(snapshot).toMatchObject({ trust: 'computed', usage: { inodes: 3 } });
  const digests = { path: paths.digests(snapshot.id), root: snapshot.digestsRoot! };
  expect(await verifyImageFile(paths.image(snapshot.id), digests)).toMatchObject({ wrongUnits: 0 });
  expect(await mounted('done', (path) => readFileSync(join(path, 'link'), 'utf8').length)).toBe(100_000);
  await fixture.client.cleanup();
  expect(await brokenInvariants(paths, rows)).toEqual([]);
});

test('it is the same image, byte for byte, as of the files that another differ would have unpacked', async () => {
  // With entries for all directories and for the times: what containerd makes of the others has the time of day.
  const tar = Buffer.concat([
    directoryMember('a', { mtime: 1_000_000_000 }),
    member({ name: 'a/file', mode: 0o600, uid: 7, mtime: 1_000_000_001 }, 'y'.repeat(10_000)),
    linkMember('hard', 'a/file'),
    END,
  ]);
  await unpack(
    'direct',
    '',
    storeBlob(fixture.parts.contentRoot, tar, 'application/vnd.docker.image.rootfs.diff.tar'),
  );
  await fixture.client.prepare('walked-key');
  const upper = fixture.upperOf('walked-key');
  execFileSync('tar', ['-x', '-C', upper], { input: tar });
  execFileSync('touch', ['-d', '@0', upper]);
  await fixture.client.commit('walked', 'walked-key');
  expect(readFileSync(fixture.imageOf('direct')).equals(readFileSync(fixture.imageOf('walked')))).toBe(true);
});

test('a layer on others hides what it names, and directories that it does not name are as below', async () => {
  await unpack(
    'base',
    '',
    store(
      directoryMember('kept', { mode: 0o2750, uid: 3, mtime: 1_000_000_000 }),
      member({ name: 'kept/old' }, 'old'),
      member({ name: 'gone' }, 'gone'),
      directoryMember('opaque'),
      member({ name: 'opaque/old' }, 'old'),
      // The lowest layer has nothing to hide: nothing must be seen of this.
      member({ name: '.wh.nothing' }),
      END,
    ),
  );
  await unpack(
    'top',
    'base',
    store(
      member({ name: 'kept/new' }, 'new'),
      member({ name: '.wh.gone' }),
      member({ name: 'opaque/.wh..wh..opq' }),
      member({ name: 'opaque/new' }, 'new'),
      END,
    ),
  );
  const list = (path: string): string =>
    execFileSync('find', ['.', '-mindepth', '1', '-printf', '%p %m %U\n'], { cwd: path, encoding: 'utf8' });
  expect((await mounted('top', list)).trim().split('\n').sort()).toEqual([
    './kept 2750 3',
    './kept/new 644 0',
    './kept/old 644 0',
    './opaque 755 0',
    './opaque/new 644 0',
  ]);
  expect((await mounted('base', list)).split('\n').filter((line) => line.includes('nothing'))).toEqual([]);
});

describe('a layer is left to the next differ, and nothing is changed,', () => {
  async function refused(apply: (mounts: Mount[]) => Promise<unknown>): Promise<void> {
    const mounts = await fixture.client.prepare('key');
    const before = filesBelowRoot();
    expect(await codeOf(apply(mounts))).toBe('UNIMPLEMENTED');
    expect(filesBelowRoot()).toEqual(before);
  }

  test.each([
    [
      'the mounts are of another snapshotter',
      (mounts: Mount[]) => [{ ...mounts[0]!, source: '/somewhere/snapshots/1/fs' }],
    ],
    [
      'the mounts lead beside the snapshots',
      (mounts: Mount[]) => [{ ...mounts[0]!, source: `${mounts[0]!.source}/../fs` }],
    ],
    ['the mounts cannot be written to', (mounts: Mount[]) => [{ ...mounts[0]!, options: ['ro', 'rbind'] }]],
    ['there are several mounts', (mounts: Mount[]) => [...mounts, ...mounts]],
    ['there are none', () => []],
  ])('where %s', async (_what, changed) => {
    await refused((mounts) => diff.apply(layer(), changed(mounts)));
  });

  test.each([
    'application/vnd.oci.image.layer.v1.erofs',
    'application/vnd.oci.image.layer.v1.tar+encrypted',
    '',
  ])('where its media type is "%s"', async (mediaType) => {
    await refused((mounts) => diff.apply({ ...layer(), media_type: mediaType }, mounts));
  });

  test('where files lie in the upper directory already', async () => {
    await refused(async (mounts) => {
      const file = join(mounts[0]!.source, 'file');
      writeFileSync(file, 'x');
      try {
        return await diff.apply(layer(), mounts);
      } finally {
        execFileSync('rm', [file]);
      }
    });
  });

  test('where the snapshot is committed by then', async () => {
    const mounts = await fixture.client.prepare('key');
    await fixture.client.commit('done', 'key');
    expect(await codeOf(diff.apply(layer(), mounts))).toBe('UNIMPLEMENTED');
  });

  test('and so are differences that are to become a layer', async () => {
    expect((await diff.diff())?.details).toContain('walking differ');
  });
});

describe('nothing stays of a layer that is refused', () => {
  const good = gzipSync(Buffer.concat([member({ name: 'file' }, randomBytes(50_000)), END]));

  test.each<[string, () => Buffer | LayerDescriptor, string]>([
    [
      'its content is another',
      () => ({ ...storeBlob(fixture.parts.contentRoot, good), size: good.length + 1 }),
      `ends after ${good.length} of`,
    ],
    ['its gzip stream is cut', () => good.subarray(0, 30_000), 'gzip: unexpected end of file'],
    [
      'its gzip stream is damaged',
      () => Buffer.concat([good.subarray(0, 20_000), Buffer.alloc(100), good.subarray(20_100)]),
      'gzip: ',
    ],
    ['it is no tar', () => Buffer.from('not a tar'.repeat(1000)), 'no header of a tar'],
    [
      'a file claims a size that no disk has',
      () => pack(pax([['size', '9007199254740991']]), header({ name: 'huge' })),
      'bytes of content are missing',
    ],
    [
      'its zstd frame wants two GiB of memory',
      // The window descriptor says 2^31 bytes; one empty block follows (RFC 8878, 3.1.1).
      () => Buffer.from('28b52ffd00a8010000', 'hex'),
      'zstd: ',
    ],
    [
      'a device has numbers that Linux lacks',
      () => pack(header({ name: 'd', type: TYPE.BLOCK_DEVICE, major: 100_000, minor: 0 }), END),
      'a device of the numbers 100000:0',
    ],
    [
      'a hard link leads out of the layer',
      () => pack(linkMember('hard', '../../../etc/passwd'), END),
      'a hard link to ../../../etc/passwd, which the layer does not have',
    ],
    [
      'a directory is to become the root',
      () => pack(symlinkMember('/', '/etc'), END),
      'the root, which cannot be a symlink',
    ],
  ])('because %s', async (_what, make, problem) => {
    const made = make();
    const blob = Buffer.isBuffer(made) ? storeBlob(fixture.parts.contentRoot, made) : made;
    const mounts = await fixture.client.prepare('key');
    const before = filesBelowRoot();
    const failure = await failureOf(diff.apply(blob, mounts));
    expect(failure.details).toContain(problem);
    expect(failure.details).toContain(blob.digest);
    expect(filesBelowRoot()).toEqual(before);
  });

  test('because its digest is that of another blob, whose content is whole', async () => {
    const blob = storeBlob(fixture.parts.contentRoot, good);
    const other = sha256(Buffer.from('other'));
    const blobs = join(fixture.parts.contentRoot, 'blobs', 'sha256');
    writeFileSync(join(blobs, other.slice(7)), good);
    const mounts = await fixture.client.prepare('key');
    const before = filesBelowRoot();
    const failure = await failureOf(diff.apply({ ...blob, digest: other }, mounts));
    expect(failure.details).toContain(`${other}: its content has the digest ${blob.digest}`);
    expect(filesBelowRoot()).toEqual(before);
    // The snapshot is as it was: the right blob can be unpacked into it.
    await diff.apply(blob, mounts);
  });

  test('because a bomb fills the disk', async () => {
    const mounts = await fixture.client.prepare('key');
    const directory = fixture.paths.snapshot(fixture.parts.store.snapshots.find('key')!.id);
    mount('tmpfs', directory, 'tmpfs', 0, 'size=4m');
    mkdirSync(join(directory, 'fs'));
    const blob = storeBlob(
      fixture.parts.contentRoot,
      execFileSync('zstd', ['-q', '-c'], {
        input: Buffer.concat([member({ name: 'large' }, Buffer.alloc(100 * 2 ** 20, 'x')), END]),
      }),
      'application/vnd.oci.image.layer.v1.tar+zstd',
    );
    expect(blob.size).toBeLessThan(20_000);
    const failure = await failureOf(diff.apply(blob, mounts));
    expect(failure.details).toContain('ENOSPC');
    expect(await codeOf(Promise.reject(failure))).toBe('RESOURCE_EXHAUSTED');
    expect(readdirSync(directory)).toEqual(['fs']);
  });
});

test('a containerd that does not answer is named, and nothing stays', async () => {
  const mounts = await fixture.client.prepare('key');
  const before = filesBelowRoot();
  const nowhere = { ...layer(), digest: sha256(Buffer.from('in no file')) };
  const failure = await failureOf(diff.apply(nowhere, mounts));
  expect(codeName(failure)).toBe('UNAVAILABLE');
  expect(failure.details).toContain(`nobody.sock does not give the blob ${nowhere.digest}`);
  expect(filesBelowRoot()).toEqual(before);
});

test('paths that would escape stay inside the layer', async () => {
  const file = `escaped-${process.pid}`;
  await unpack(
    'inside',
    '',
    store(
      member({ name: `../../../../../../../tmp/${file}` }, 'x'),
      symlinkMember('out', '/'),
      member({ name: `out/tmp/${file}-linked` }, 'x'),
      symlinkMember('up', '../../../../../../..'),
      member({ name: `up/tmp/${file}-upwards` }, 'x'),
      END,
    ),
  );
  expect(await mounted('inside', (path) => readdirSync(join(path, 'tmp')).sort())).toEqual(
    ['', '-linked', '-upwards'].map((end) => `${file}${end}`),
  );
  expect(readdirSync('/tmp').filter((name) => name.startsWith(file))).toEqual([]);
});

test('the second layer that is unpacked into a snapshot takes the place of the first', async () => {
  const mounts = await fixture.client.prepare('key');
  await diff.apply(layer(), mounts);
  await diff.apply(store(member({ name: 'second' }, 'x'), END), mounts);
  await fixture.client.commit('done', 'key');
  expect(await mounted('done', (path) => readdirSync(path))).toEqual(['second']);
});

test('what is written beside an unpacked layer keeps it from being committed', async () => {
  const mounts = await fixture.client.prepare('key');
  await diff.apply(layer(), mounts);
  await writeFile(join(mounts[0]!.source, 'late'), 'x');
  const failure = await failureOf(fixture.client.commit('done', 'key'));
  expect(failure.details).toContain('files were written there after the layer had been unpacked');
  execFileSync('rm', [join(mounts[0]!.source, 'late')]);
  await fixture.client.commit('done', 'key');
});

test('an unpacked layer outlives a restart, and what was not finished before one does not', async () => {
  await diff.apply(layer(), await fixture.client.prepare('whole'));
  await diff.apply(layer(), await fixture.client.prepare('cut'));
  const directoryOf = (key: string): string =>
    fixture.paths.snapshot(fixture.parts.store.snapshots.find(key)!.id);
  const [whole, cut] = [directoryOf('whole'), directoryOf('cut')];
  const complete = readdirSync(whole).sort();
  execFileSync('rm', [join(cut, 'unpacked.json')]);
  for (const name of [
    '.unpacked.erofs.tmp-0123456789abcdef',
    '.unpacked.json',
    '.spool.tmp-0123456789abcdef',
  ])
    for (const directory of [whole, cut]) writeFileSync(join(directory, name), 'x');
  await restart();
  expect(readdirSync(whole).sort()).toEqual(complete);
  expect(readdirSync(cut).sort()).toEqual(['fs', 'work']);
  await fixture.client.commit('done', 'whole');
  expect(await mounted('done', (path) => readFileSync(join(path, 'etc/file'), 'utf8'))).toBe('text');
});

test('when the client goes away the work ends, and nothing stays', async () => {
  const mounts = await fixture.client.prepare('key');
  const before = filesBelowRoot();
  const large = store(member({ name: 'large' }, randomBytes(40 * 2 ** 20)), END);
  const gone = new AbortController();
  const apply = diff.apply(large, mounts, gone.signal);
  const { snapshots } = fixture.parts;
  await eventually('it is under way', () =>
    snapshots.commitsUnderWay().some(({ progress }) => (progress?.bytes ?? 0) > 0),
  );
  expect(snapshots.commitsUnderWay()).toMatchObject([
    {
      key: 'key',
      name: large.digest,
      building: true,
      progress: { stage: 'reading', totalBytes: large.size },
    },
  ]);
  gone.abort();
  expect(await codeOf(apply)).toBe('CANCELLED');
  await eventually('it has ended', () => snapshots.commitsUnderWay().length === 0);
  expect(snapshots.imagesMade).toMatchObject({ done: 0, failed: 1 });
  expect(filesBelowRoot()).toEqual(before);
});

test('a snapshot that is being unpacked is neither unpacked nor committed at the same time', async () => {
  const mounts = await fixture.client.prepare('key');
  const large = store(member({ name: 'large' }, randomBytes(10 * 2 ** 20)), END);
  const first = diff.apply(large, mounts);
  await eventually('it is under way', () => fixture.parts.snapshots.commitsUnderWay().length > 0);
  expect(await codeOf(diff.apply(layer(), mounts))).toBe('FAILED_PRECONDITION');
  expect(await codeOf(fixture.client.commit('done', 'key'))).toBe('FAILED_PRECONDITION');
  await first;
  await fixture.client.remove('key');
  await fixture.client.cleanup();
  expect(existsSync(fixture.paths.snapshot(1 as never))).toBe(false);
});

function pack(...parts: readonly Buffer[]): Buffer {
  return gzipSync(Buffer.concat(parts));
}
