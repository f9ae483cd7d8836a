import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import fc from 'fast-check';
import { cacheStat } from '../linux/page-cache';
import { makeDevice, makeNode } from '../linux/device-node';
import { setXattr } from '../linux/xattr';
import { buildImage, buildImageOfTree } from './build';
import { extendedInodeRecord } from './format/inode';
import { BytesContent } from './writer/content';
import { complaintsOfSystemFsck, fingerprintFsck } from './writer/testing/fsck';
import { MountedImage } from './writer/testing/mounted-image';
import { differences, expectedObservation, observeDirectory } from './writer/testing/observation';
import { randomTree } from './writer/testing/random-tree';
import { directory, file } from './writer/testing/sample-tree';
import { ScratchDirectory } from './writer/testing/scratch-directory';
import { toEntryName } from './writer/tree';
import { assertWhole } from '../linux/testing/whole-trials';
import { LONG } from '../linux/testing/long-trials';

/** Every judge on this machine has nothing to say against an image. */
function expectSound(image: string): void {
  expect(complaintsOfSystemFsck(image)).toBe('');
  const judge = fingerprintFsck();
  if (judge !== undefined) expect(judge(image)).toBe('');
}

/** Builds an image of what `script` makes in an empty directory, and compares it, mounted, with that directory. */
async function expectFaithful(scratch: ScratchDirectory, script: string): Promise<void> {
  scratch.shell(`mkdir source; cd source; ${script}`);
  await expectFaithfulSource(scratch);
}

async function expectFaithfulSource(scratch: ScratchDirectory): Promise<void> {
  const target = scratch.join('image.erofs');
  await buildImage({ source: { directory: scratch.join('source'), overlay: false }, target });
  expectSound(target);
  using mounted = new MountedImage(target);
  expect(differences(observeDirectory(mounted.path), observeDirectory(scratch.join('source')))).toEqual([]);
}

beforeAll(() => {
  if (fingerprintFsck() === undefined) {
    console.warn(
      'ISHARE_TEST_EROFS_UTILS names no erofs-utils 1.9.2 or later: fingerprints are not checked by fsck.erofs',
    );
  }
});

describe('an image of a directory, mounted by the kernel, equals the directory', () => {
  test('files of every size around the block and inline limits', async () => {
    using scratch = new ScratchDirectory();
    await expectFaithful(
      scratch,
      `for n in 0 1 39 1023 1024 1025 4031 4095 4096 4097 5119 5120 5121 8191 8192 1048575 1048576 1048577 9000001; do
         head -c $n /dev/urandom > f$n; head -c $n /dev/zero > z$n; done
       truncate -s 30M sparse; echo end >> sparse`,
    );
  });

  test('inodes without attributes up to the last byte of the image', async () => {
    using scratch = new ScratchDirectory();
    // Owner and times make all inodes long, and so many fill the last block.
    await expectFaithful(
      scratch,
      'seq -f p%03g 204 | xargs mkfifo; chown 70000 p*; touch -d @1700000000.5 p* .',
    );
    const last = readFileSync(scratch.join('image.erofs')).subarray(-64);
    const { uid, xattrCount } = extendedInodeRecord.fields;
    const site = { image: 'image.erofs', origin: 0 };
    expect([uid.read(last, 0, site), xattrCount.read(last, 0, site)]).toEqual([70_000, 0]);
  });

  test('20,000 entries in one directory', async () => {
    using scratch = new ScratchDirectory();
    await expectFaithful(
      scratch,
      `mkdir many; cd many; seq -f 'entry with number %08.0f' 20000 | tr '\\n' '\\0' | xargs -0 touch`,
    );
  });

  test('names of 255 bytes, and names that are not UTF-8', async () => {
    using scratch = new ScratchDirectory();
    await expectFaithful(
      scratch,
      `for i in $(seq 40); do touch "$(printf 'n%254s' $i | tr ' ' x)"; done
       touch $'\\xff\\xfe' $'\\x80' '!' '-' ' ' $'new\\nline' 'ü' '..x' '...' '.hidden'; mkdir $'dir\\xe9'; touch $'dir\\xe9/\\xc3'`,
    );
  });

  test('symbolic links of 1 to 4095 bytes', async () => {
    using scratch = new ScratchDirectory();
    await expectFaithful(
      scratch,
      `for n in 1 2 31 32 59 60 61 1024 3900 3999 4031 4032 4033 4063 4064 4065 4094 4095; do
         ln -s "$(head -c $n /dev/zero | tr '\\0' t)" link$n; done`,
    );
  });

  test('hard links across directories count the names inside the image', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('echo outside > outside');
    await expectFaithful(
      scratch,
      `mkdir -p a/b c; echo text > a/file; ln a/file a/b/other; ln a/file c/third; mkfifo c/fifo; ln c/fifo fifo2
       ln -s x a/link; ln a/link c/link2`,
    );
    scratch.shell('ln outside source/inside; ln outside source/c/inside2');
    const target = scratch.join('again.erofs');
    await buildImage({ source: { directory: scratch.join('source'), overlay: false }, target });
    using mounted = new MountedImage(target);
    const lines = observeDirectory(mounted.path).filter((line) => line.includes('inside'));
    expect(lines).toEqual([
      expect.stringMatching(/^"\/c\/inside2" .* links 2 /) as unknown,
      '/inside = /c/inside2, 2 links',
    ]);
  });

  test('devices, fifos and sockets', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir source');
    const at = (name: string): string => scratch.join('source', name);
    makeNode(at('null'), 0o020666, makeDevice(1, 3));
    makeNode(at('whiteout'), 0o020000, 0);
    makeNode(at('large-char'), 0o020600, makeDevice(4095, 1_048_575) >>> 0);
    makeNode(at('disk'), 0o060640, makeDevice(259, 70_000));
    makeNode(at('fifo'), 0o010644);
    makeNode(at('socket'), 0o140755);
    await expectFaithfulSource(scratch);
  });

  test('times before 1970 and after 2038, with nanoseconds', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    await expectFaithful(
      scratch,
      `touch -d @-1.000000001 before; touch -d @-5000000000.25 long-before; touch -d @0 zero; touch -d @0.999999999 almost
       touch -d @2147483648.5 after; touch -d @4294967296.123456789 after-u32; touch -d @253402300800 far
       for i in 1 2 3; do touch -d @-7.75 often$i; done; ln -s x link; touch -h -d @-99.5 link; touch -d @-123.456 .`,
    );
  });

  test('large owners and special permission bits', async () => {
    using scratch = new ScratchDirectory();
    await expectFaithful(
      scratch,
      `touch a b c d e; chown 65535:65535 a; chown 65536:0 b; chown 0:65536 c; chown 4294967294:4294967294 d
       chmod 6755 a; chmod 0000 e; mkdir sticky; chmod 1777 sticky; mkdir setgid; chmod 2770 setgid`,
    );
  });

  test('extended attributes: many, shared, empty, large, ACLs and capabilities', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    await expectFaithful(
      scratch,
      `for i in $(seq 60); do echo $i > f$i; setfattr -n user.shared -v 'the same for all' f$i
         setfattr -n user.number -v $i f$i; setfattr -n trusted.empty f$i; done
       for i in $(seq 300); do setfattr -n user.many$i -v $i f1; setfattr -n user.many$i -v $i f2; done
       setfattr -n user.large -v 0x$(head -c 60000 /dev/urandom | od -An -v -tx1 | tr -d ' \\n') f3
       setfattr -n trusted.large -v 0x$(head -c 5000 /dev/urandom | od -An -v -tx1 | tr -d ' \\n') f3
       mkdir d; setfattr -n trusted.on -v directory d; ln -s x l; setfattr -h -n trusted.on -v link l
       mkfifo p; setfattr -n trusted.on -v fifo p; setfattr -n user.none -v x .
       setfacl -m u:1000:rwx,g:50:r f1; setfacl -m u:7:x -m d:u:8:rw d; setcap cap_net_raw+ep f5; setcap cap_net_raw+ep f6`,
    );
  });

  test('70,000 names of one file', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    scratch.shell(`mkdir source; cd source; echo text > first; mkdir d
      python3 -c "import os
for i in range(70000): os.link('first', 'd/%d' % i)"`);
    await expectFaithfulSource(scratch);
  });

  (LONG ? test : test.skip)('70,000 directories in one', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    scratch.shell(`mkdir -p source/d; cd source/d; python3 -c "import os
for i in range(70000): os.mkdir('%d' % i)"`);
    await expectFaithfulSource(scratch);
  });

  test('a tree that is deeper than a path may be long', async () => {
    using scratch = new ScratchDirectory('tmpfs');
    scratch.shell(`mkdir source; cd source; python3 -c "import os
for i in range(60):
  os.mkdir('%d' % i + 'd' * 200); os.chdir('%d' % i + 'd' * 200); open('file', 'w').write('content %d' % i)"`);
    const target = scratch.join('deep.erofs');
    const before = readdirSync('/proc/self/fd').length;
    const result = await buildImage({
      source: { directory: scratch.join('source'), overlay: false },
      target,
    });
    expect(result).toMatchObject({ inodes: 121, files: 60 });
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
    // fsck.erofs gives up on such paths; the kernel does not.
    using mounted = new MountedImage(target);
    const names = execFileSync(
      'bash',
      ['-c', 'for i in $(seq 60); do cat file 2>&- && echo; cd *d; done; cat file'],
      {
        cwd: mounted.path,
        encoding: 'utf8',
      },
    );
    expect(names.split('\n').filter((line) => line !== '')).toEqual(
      Array.from({ length: 60 }, (_, level) => `content ${level}`),
    );
  });

  test('an empty directory', async () => {
    using scratch = new ScratchDirectory();
    await expectFaithful(scratch, 'true');
  });
});

describe('an image of an upper directory of overlayfs', () => {
  test('keeps whiteouts and opaque directories and nothing else of overlayfs', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell(`mkdir -p low/gone-dir low/opaque/below up work merged; echo 1 > low/gone; echo 2 > low/changed
      mount -t overlay -o lowerdir=low,upperdir=up,workdir=work,index=off,metacopy=off,redirect_dir=off overlay merged
      cd merged; rm gone; rm -r gone-dir opaque; mkdir opaque; echo new > opaque/new; echo 3 >> changed
      setfattr -n user.kept -v yes changed; setfattr -n user.overlay.opaque -v y opaque
      setfattr -n trusted.overlay.nested -v theirs opaque; cd ..; umount merged`);
    const target = scratch.join('layer.erofs');
    await buildImage({ source: { directory: scratch.join('up'), overlay: true }, target });
    expectSound(target);
    using mounted = new MountedImage(target);
    const lines = observeDirectory(mounted.path).map((line) => line.replace(/mtime -?\d+ /, ''));
    const xattrsOf = (path: string): string =>
      lines.find((line) => line.startsWith(`"${path}"`)) ?? 'nothing';
    // overlayfs makes its whiteouts links of one inode.
    expect(xattrsOf('/gone')).toContain('mode 20000 owner 0:0 links 2 size 0 device 0 xattrs []');
    expect(lines).toContain('/gone-dir = /gone, 2 links');
    const opaque = [
      `trusted.overlay.opaque=${Buffer.from('y').toString('hex')}`,
      `trusted.overlay.overlay.nested=${Buffer.from('theirs').toString('hex')}`,
    ].join(', ');
    expect(xattrsOf('/opaque')).toContain(`xattrs [${opaque}]`);
    expect(xattrsOf('/changed')).toContain(`xattrs [user.kept=${Buffer.from('yes').toString('hex')}]`);

    // And the kernel takes the image for what the upper directory was.
    scratch.shell(`mkdir upper2 work2; mount -t overlay -o lowerdir=${mounted.path}:low overlay merged`);
    try {
      expect(readdirSync(scratch.join('merged')).sort()).toEqual(['changed', 'opaque']);
      expect(readdirSync(scratch.join('merged/opaque'))).toEqual(['new']);
      expect(readFileSync(scratch.join('merged/changed'), 'utf8')).toBe('2\n3\n');
    } finally {
      scratch.shell('umount merged');
    }
  });
});

describe('any tree', () => {
  test('is in the image as it was in memory', async () => {
    using scratch = new ScratchDirectory();
    await assertWhole(
      fc.asyncProperty(randomTree, async (root) => {
        const target = scratch.join('random.erofs');
        await buildImageOfTree(root, { target });
        expectSound(target);
        using mounted = new MountedImage(target);
        expect(differences(observeDirectory(mounted.path), expectedObservation(root))).toEqual([]);
      }),
      { numRuns: 40, limitMs: 45_000 },
    );
  });

  test('gives the same image twice, and another one for another content', async () => {
    using scratch = new ScratchDirectory();
    await assertWhole(
      fc.asyncProperty(randomTree, async (root) => {
        const one = await buildImageOfTree(root, { target: scratch.join('one') });
        const other = await buildImageOfTree(root, { target: scratch.join('other') });
        expect(other).toEqual(one);
        expect(readFileSync(scratch.join('one')).equals(readFileSync(scratch.join('other')))).toBe(true);
        const name = toEntryName(Buffer.from('one more with a name of its own'));
        const seen = new Set<string>();
        for (const text of ['same size 1', 'same size 2']) {
          root.entries.set(name, file(text));
          seen.add((await buildImageOfTree(root, { target: scratch.join(text) })).uuid);
        }
        expect(seen.size).toBe(2);
      }),
      { numRuns: 20, limitMs: 30_000 },
    );
  });
});

describe('the image', () => {
  test('carries fingerprints byte for byte as mkfs.erofs writes them', async () => {
    using scratch = new ScratchDirectory();
    const target = scratch.join('image');
    await buildImageOfTree(directory({ one: file('1') }), { target });
    const image = readFileSync(target);
    const prefix = Buffer.concat([Buffer.from('150000', 'hex'), Buffer.from('erofs.fingerprint.v1')]);
    expect(image.subarray(1152, 1152 + prefix.length)).toEqual(prefix);
    const body = Buffer.concat([
      Buffer.from('fffeffff0000000000000000', 'hex'),
      Buffer.from('00802700', 'hex'),
      Buffer.from('sha256:'),
      Buffer.from('6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b', 'hex'),
      Buffer.alloc(1),
    ]);
    expect(image.indexOf(body)).toBeGreaterThan(1152);
    const fields = {
      compat: image.readUInt32LE(1024 + 8),
      incompat: image.readUInt32LE(1024 + 80),
      prefixes: image.readUInt8(1024 + 91),
      prefixStart: image.readUInt32LE(1024 + 92),
      fingerprintPrefix: image.readUInt8(1024 + 105),
    };
    expect(fields).toEqual({
      compat: 0x37,
      incompat: 0x40,
      prefixes: 1,
      prefixStart: 288,
      fingerprintPrefix: 0,
    });
  });

  test('shows fingerprints under the name that was asked for, and none that a file brings along', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir source; echo text > source/file; touch source/empty');
    const name = 'trusted.erofs.fingerprint';
    for (const each of ['file', 'empty']) setXattr(scratch.join('source', each), name, Buffer.from('forged'));
    const target = scratch.join('image');
    const source = { directory: scratch.join('source'), overlay: false };
    await buildImage({ source, target, fingerprintXattr: name });
    expectSound(target);
    using mounted = new MountedImage(target);
    const shown = execFileSync('getfattr', ['-dm', '-', '-e', 'hex', 'file', 'empty'], { cwd: mounted.path });
    const sum = execFileSync('sha256sum', ['file'], { cwd: mounted.path, encoding: 'utf8' }).slice(0, 64);
    const label = Buffer.from('sha256:').toString('hex');
    expect(shown.toString().trim()).toBe(`# file: file\ntrusted.erofs.fingerprint=0x${label}${sum}`);
  });

  test('keeps the root addressable behind a large shared area', async () => {
    using scratch = new ScratchDirectory();
    const root = directory();
    for (let index = 0; index < 200; index++) {
      const value = Buffer.alloc(60_000, index);
      const xattrs = [{ name: Buffer.from('user.large'), value }];
      for (const copy of ['a', 'b']) {
        root.entries.set(toEntryName(Buffer.from(`${index}${copy}`)), { ...file('x'), xattrs });
      }
    }
    const target = scratch.join('image');
    const { bytes } = await buildImageOfTree(root, { target });
    expect(bytes).toBeLessThan(13_000_000);
    expectSound(target);
    using mounted = new MountedImage(target);
    expect(differences(observeDirectory(mounted.path), expectedObservation(root))).toEqual([]);
  });

  test('does not stay in the page cache', async () => {
    using scratch = new ScratchDirectory();
    const target = scratch.join('image');
    await buildImageOfTree(directory({ big: file(new BytesContent(Buffer.alloc(20_000_000, 'x'))) }), {
      target,
    });
    const fd = openSync(target, 'r');
    try {
      expect(cacheStat(fd).cachedPages).toBe(0);
    } finally {
      closeSync(fd);
    }
  });
});
