import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readDirectoryTree } from '../from-directory';
import { HostDirectories } from '../host-directories';
import { Pace } from '../pace';
import { differences, expectedObservation, type Observation } from '../testing/observation';
import { placeTree } from '../testing/placed-tree';
import { randomTree } from '../testing/random-tree';
import { ScratchDirectory } from '../testing/scratch-directory';
import type { DirectoryNode, TreeNode } from '../tree';
import { ReadLayer } from './testing/read-layer';
import { LONG } from '../../../linux/testing/long-trials';

jest.setTimeout(LONG ? 600_000 : 60_000);

/** What tar cannot hold is taken out: sockets, and that devices and fifos have several names. */
function withoutWhatTarLacks(directory: DirectoryNode, seen = new Set<TreeNode>()): DirectoryNode {
  for (const [name, node] of directory.entries) {
    const special = !['directory', 'file', 'symlink'].includes(node.kind);
    if (node.kind === 'socket' || (special && seen.has(node))) directory.entries.delete(name);
    seen.add(node);
    if (node.kind === 'directory') withoutWhatTarLacks(node, seen);
  }
  return directory;
}

/** GNU tar's older format has whole seconds, and no extended attributes. */
function forOldFormat<T extends TreeNode>(node: T): T {
  Object.assign(node, { xattrs: [], mtime: { seconds: node.mtime.seconds, nanoseconds: 0 } });
  if (node.kind === 'directory') for (const child of node.entries.values()) forOldFormat(child);
  return node;
}

async function observedDirectory(directory: string): Promise<Observation> {
  using directories = new HostDirectories();
  return expectedObservation(
    await readDirectoryTree({ directory, overlay: true }, directories, new Pace(undefined)),
  );
}

function tar(scratch: ScratchDirectory, ...args: readonly string[]): string {
  const path = scratch.join('layer.tar');
  execFileSync('tar', ['-cf', path, '-C', scratch.join('source'), ...args, '.'], { timeout: 60_000 });
  return path;
}

const pax = ['--format=pax', '--xattrs', '--xattrs-include=*'];

describe('a tar by GNU tar reads as the directory it was made of', () => {
  test.each([
    ['pax', pax, (tree: DirectoryNode) => tree],
    ['gnu', ['--format=gnu'], forOldFormat<DirectoryNode>],
  ])('format %s, random trees', async (_, args, limited) => {
    await fc.assert(
      fc.asyncProperty(randomTree, async (random) => {
        using scratch = new ScratchDirectory('tmpfs');
        scratch.shell('mkdir source');
        placeTree(limited(withoutWhatTarLacks(random)), scratch.join('source'));
        using layer = await ReadLayer.of({ tar: tar(scratch, ...args) });
        expect(differences(layer.observation, await observedDirectory(scratch.join('source')))).toEqual([]);
      }),
      { numRuns: LONG ? 500 : 40 },
    );
  });

  test('a whole directory of this machine, plain, with gzip in parts, and with zstd', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir source; cp -a /etc /usr/share/doc/[a-f]* source/');
    const plain = tar(scratch, ...pax);
    const expected = await observedDirectory(scratch.join('source'));
    expect(expected.length).toBeGreaterThan(100);
    scratch.shell(`zstd -q layer.tar -o layer.zst
      split -n 3 layer.tar part.; for part in part.*; do gzip "$part"; done; cat part.*.gz > layer.gz`);
    for (const path of [plain, scratch.join('layer.gz'), scratch.join('layer.zst')]) {
      using layer = await ReadLayer.of({ tar: path });
      expect(differences(layer.observation, expected)).toEqual([]);
    }
  });

  test.each(['oldgnu', '0.0', '0.1', '1.0'])('sparse files, format %s', async (version) => {
    using scratch = new ScratchDirectory();
    scratch.shell(`mkdir source; cd source
      truncate -s 5M only-a-hole; truncate -s 0 empty; head -c 9001 /dev/urandom > dense
      for i in $(seq 0 59); do printf "part $i" | dd of=many bs=64k seek=$i conv=notrunc status=none; done; truncate -s 8M many
      truncate -s 3M end; echo end >> end; (head -c 5000 /dev/urandom; cat) < /dev/null > start; truncate -s 2M start
      mkdir ${'d'.repeat(90)}; truncate -s 1M ${'d'.repeat(90)}/${'n'.repeat(90)}`);
    const format = version === 'oldgnu' ? ['--format=gnu'] : [...pax, `--sparse-version=${version}`];
    scratch.shell("find source -exec touch -d '2020-01-02 03:04:05' {} +");
    const path = tar(scratch, '--sparse', ...format);
    expect(readFileSync(path).length).toBeLessThan(2_000_000);
    using layer = await ReadLayer.of({ tar: path });
    expect(differences(layer.observation, await observedDirectory(scratch.join('source')))).toEqual([]);
  });

  test('capabilities and access control lists, byte for byte', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell(`mkdir -p source/dir; cd source; cp /bin/true program; setfattr -n security.capability \\
      -v 0x0100000200040000000000000000000000000000 program; setfattr -n user.binary -v 0x00ff0a3d00 program
      setfattr -n user.a=b%25c -v 1 program; setfattr -n user.empty program
      setfattr -n system.posix_acl_default -v 0x0200000001000700ffffffff04000500ffffffff20000500ffffffff dir`);
    using layer = await ReadLayer.of({ tar: tar(scratch, ...pax) });
    expect(Object.keys(layer.xattrs('program')).sort()).toEqual([
      'security.capability',
      'user.a=b%25c',
      'user.binary',
      'user.empty',
    ]);
    expect(differences(layer.observation, await observedDirectory(scratch.join('source')))).toEqual([]);
  });

  test('an upper directory of overlayfs', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell(`mkdir -p source/opaque source/plain; cd source; mknod whiteout c 0 0; echo new > opaque/new
      setfattr -n trusted.overlay.opaque -v y opaque; setfattr -n trusted.overlay.origin -v 0x00fb plain`);
    using layer = await ReadLayer.of({ tar: tar(scratch, ...pax) });
    expect(layer.xattrs('opaque')).toEqual({ 'trusted.overlay.opaque': 'y' });
    expect(layer.xattrs('plain')).toEqual({});
    expect(differences(layer.observation, await observedDirectory(scratch.join('source')))).toEqual([]);
  });
});

test('a stream of no bytes is an empty layer', async () => {
  using layer = await ReadLayer.ofBytes();
  expect(layer.paths).toEqual([]);
  expect(layer.root).toMatchObject({
    permissions: 0o755,
    uid: 0,
    gid: 0,
    mtime: { seconds: 0, nanoseconds: 0 },
  });
});

test('what is read is told, as it lies in the file', async () => {
  using scratch = new ScratchDirectory();
  const bytes = gzipSync(Buffer.alloc(10240));
  writeFileSync(scratch.join('layer.tar.gz'), bytes);
  const seen: number[] = [];
  using layer = await ReadLayer.of(
    { tar: scratch.join('layer.tar.gz') },
    { onRead: (count) => seen.push(count) },
  );
  expect(layer.paths).toEqual([]);
  expect(seen).toEqual([bytes.length]);
});
