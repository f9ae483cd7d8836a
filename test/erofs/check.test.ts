import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { toNid } from '../../erofs/brands';
import { checkImage, type CheckSummary } from '../../erofs/check/image-check';
import type { Finding } from '../../erofs/check/finding';
import { ADVISE, extentRecord } from '../../erofs/format/compression';
import { direntRecord } from '../../erofs/format/dirent';
import { INCOMPAT } from '../../erofs/format/feature';
import { compactInodeRecord, extendedInodeRecord } from '../../erofs/format/inode';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import { xattrBodyRecord, xattrEntryRecord } from '../../erofs/format/xattr';
import { makeAwkwardTree } from './awkward-tree';
import { craftImage } from './crafted-compression';
import { devicesOf, openBytes, sample, sampleNames, seal } from './damaged-image';
import { newerTool, systemMkfs, type ErofsTool } from '../../erofs/testing/erofs-utils';
import { TemporaryDirectory } from './temporary-directory';

/** Checks bytes as an image whose superblock has the right checksum. */
async function check(
  bytes: Buffer,
  devices?: readonly string[],
): Promise<{ findings: Finding[]; summary: CheckSummary }> {
  await using image = await openBytes(seal(bytes), false, devices);
  const findings: Finding[] = [];
  const steps = checkImage(image);
  for (;;) {
    const step = await steps.next();
    if (step.done === true) return { findings, summary: step.value };
    findings.push(step.value);
  }
}

/** Findings as `PATH FIELD: PROBLEM`. */
async function told(bytes: Buffer): Promise<string[]> {
  const { findings } = await check(bytes);
  return findings.map(({ error, path }) => `${path?.toString() ?? '-'} ${error.field}: ${error.problem}`);
}

describe('an image that mkfs.erofs has made is clean', () => {
  test.each(sampleNames)('%s', async (name) => {
    const { findings, summary } = await check(sample(name), devicesOf[name]);
    expect(findings).toEqual([]);
    expect(summary.inodes).toBeGreaterThanOrEqual(9);
    expect(summary.fingerprints).toBe(name.includes('-fp') ? 5 : 0);
  });

  const newer = newerTool('mkfs.erofs');
  const kinds: [string, ErofsTool | undefined, string[]][] = [
    ['erofs-utils 1.5, plain', systemMkfs, []],
    ['erofs-utils 1.5, LZ4 with inline tails', systemMkfs, ['-zlz4hc', '-Eztailpacking']],
    ['erofs-utils 1.5, chunks', systemMkfs, ['--chunksize=4096']],
    ['erofs-utils 1.9, fingerprints', newer, ['--xattr-inode-digest']],
    ['erofs-utils 1.9, all in fragments', newer, ['-zzstd', '-C65536', '-Eall-fragments,dedupe']],
    ['erofs-utils 1.9, metabox', newer, ['-zlz4hc', '-m4096']],
    ['erofs-utils 1.9, encoded extents', newer, ['-zlz4', '-E48bit']],
    ['erofs-utils 1.9, small blocks without "."', newer, ['-b512', '-Edot-omitted']],
  ];
  let tree: TemporaryDirectory;

  beforeAll(() => {
    tree = new TemporaryDirectory();
    mkdirSync(tree.join('source'));
    makeAwkwardTree(tree.join('source'));
  });

  afterAll(() => {
    tree[Symbol.dispose]();
  });

  test.each(kinds)('%s: a tree with everything that a tree may hold', async (name, mkfs, options) => {
    if (mkfs === undefined) return;
    const image = tree.join(`${name.replaceAll(/\W/g, '-')}.erofs`);
    mkfs.run('--quiet', ...options, image, tree.join('source'));
    const { findings } = await check(readFileSync(image));
    expect(findings).toEqual([]);
  });
});

/** Byte offset of an inode of the samples, which start their nids at byte 0. */
const at = (nid: number): number => 32 * nid;
const site = { image: 'sample', origin: 0 };

/** Where a directory of plain.erofs keeps the entry of this name. */
function entryOf(bytes: Buffer, directoryStart: number, name: string): number {
  const count = direntRecord.fields.nameOffset.read(bytes, directoryStart, site) / direntRecord.size;
  for (let index = 0; index < count; index++) {
    const entry = directoryStart + index * direntRecord.size;
    const start = directoryStart + direntRecord.fields.nameOffset.read(bytes, entry, site);
    const next = entry + direntRecord.size + direntRecord.fields.nameOffset.offset;
    const end = index + 1 < count ? directoryStart + bytes.readUInt16LE(next) : start + name.length;
    if (bytes.toString('latin1', start, end) === name) return entry;
  }
  throw new Error(`no ${name}`);
}

const ROOT = 36;
/** Inline behind the root's compact inode. */
const ROOT_ENTRIES = at(ROOT) + compactInodeRecord.size;
const DIR = 97;
const DIR_ENTRIES = at(DIR) + compactInodeRecord.size;
const A_TXT = 42;
const LINK = 102;
const SMALL = 3826;
/** The one attribute of `small`. */
const SMALL_XATTR = at(SMALL) + compactInodeRecord.size + xattrBodyRecord.size;
const NOWHERE = toNid(99_999_999);

describe('damage is found, and named', () => {
  const damages: [string, (bytes: Buffer) => void, string][] = [
    [
      'entries out of order',
      (bytes) => void bytes.write('z', ROOT_ENTRIES + nameOffset(bytes, 'a.txt'), 'latin1'),
      '/ dirent name: "dir" comes after "z.txt"',
    ],
    [
      'a name that is there twice',
      (bytes) => {
        // "dir" and "empty" follow one another.
        const second = entryOf(bytes, ROOT_ENTRIES, 'empty');
        const start = nameOffset(bytes, 'dir');
        bytes.write('samesame', ROOT_ENTRIES + start, 'latin1');
        direntRecord.fields.nameOffset.write(bytes, second, start + 4);
      },
      '/ dirent name: "same" is there twice',
    ],
    [
      'a parent that is none',
      (bytes) => {
        direntRecord.fields.nid.write(bytes, entryOf(bytes, DIR_ENTRIES, '..'), toNid(DIR));
      },
      '/dir dirent.nid: ".." has inode 97, not 36',
    ],
    [
      'an entry of another type than its inode',
      (bytes) => {
        direntRecord.fields.fileType.write(bytes, entryOf(bytes, ROOT_ENTRIES, 'small'), 2);
      },
      '/small dirent.fileType: "small" has type 2, its inode 3826 is of type 1',
    ],
    [
      'a directory with two names',
      (bytes) => {
        direntRecord.fields.nid.write(bytes, entryOf(bytes, ROOT_ENTRIES, 'small'), toNid(DIR));
      },
      '/small dirent.nid: "small" leads to the directory "/dir"',
    ],
    [
      'a directory that holds itself',
      (bytes) => {
        direntRecord.fields.nid.write(bytes, entryOf(bytes, ROOT_ENTRIES, 'dir'), toNid(ROOT));
      },
      '/dir dirent.nid: "dir" leads to the directory "/"',
    ],
    [
      'a link count that does not fit',
      (bytes) => {
        compactInodeRecord.fields.nlink.write(bytes, at(ROOT), 7);
      },
      '/ inode.nlink: 7, but 3 links are there',
    ],
    [
      'an inode count that does not fit',
      (bytes) => {
        superblockRecord.fields.inos.write(bytes, SUPERBLOCK_OFFSET, 8);
      },
      '- superblock.inos: 8, but 9 inodes are there',
    ],
    [
      'nanoseconds of a second and more',
      (bytes) => {
        superblockRecord.fields.fixedNanoseconds.write(bytes, SUPERBLOCK_OFFSET, 1_000_000_000);
      },
      '- superblock.fixedNanoseconds: 1000000000 is a second or more',
    ],
    [
      'prefixes without their feature',
      (bytes) => {
        superblockRecord.fields.xattrPrefixCount.write(bytes, SUPERBLOCK_OFFSET, 1);
      },
      '- superblock.xattrPrefixCount: 1, without the feature XATTR_PREFIXES',
    ],
    [
      'data that lies on inodes',
      (bytes) => {
        compactInodeRecord.fields.startBlockLow.write(bytes, at(A_TXT), 0);
      },
      '/a.txt extent: its bytes, from byte 0 of the image, overlap the superblock',
    ],
    [
      'data that lies behind the image',
      (bytes) => {
        compactInodeRecord.fields.startBlockLow.write(bytes, at(A_TXT), 62);
      },
      '/a.txt inode.startBlock: 98304 bytes there would lie outside the image of 258048 bytes',
    ],
    [
      'shared xattrs that lie behind the image',
      (bytes) => {
        superblockRecord.fields.xattrBlockAddress.write(bytes, SUPERBLOCK_OFFSET, 1000);
      },
      '- superblock.xattrBlockAddress: byte 4096000 of 258048',
    ],
    [
      'a packed file that is a directory',
      (bytes) => {
        superblockRecord.fields.packedNid.write(bytes, SUPERBLOCK_OFFSET, toNid(DIR));
      },
      '- superblock.packedNid: inode 97 is no regular file',
    ],
    [
      'a packed file that is nowhere',
      (bytes) => {
        superblockRecord.fields.packedNid.write(bytes, SUPERBLOCK_OFFSET, NOWHERE);
      },
      '- nid: lies outside: inodes end at 258048',
    ],
    [
      'an entry that leads nowhere',
      (bytes) => {
        direntRecord.fields.nid.write(bytes, entryOf(bytes, ROOT_ENTRIES, 'small'), NOWHERE);
      },
      '/small nid: lies outside: inodes end at 258048',
    ],
    [
      'a symlink with a NUL',
      (bytes) => void (bytes[at(LINK) + compactInodeRecord.size + 1] = 0),
      '/link symlink target: has a NUL in it',
    ],
    [
      'an attribute of an unknown namespace',
      (bytes) => {
        xattrEntryRecord.fields.nameIndex.write(bytes, SMALL_XATTR, 9);
      },
      '/small xattr entry.nameIndex: 9 is no known prefix',
    ],
    [
      'an attribute with a prefix that is not there',
      (bytes) => {
        xattrEntryRecord.fields.nameIndex.write(bytes, SMALL_XATTR, 0x85);
      },
      '/small xattr entry.nameIndex: long prefix 5 of 0',
    ],
    [
      'an attribute that does not fit',
      (bytes) => {
        xattrEntryRecord.fields.nameLength.write(bytes, SMALL_XATTR, 200);
      },
      '/small xattr entry: ends 186 bytes after the xattr body',
    ],
    [
      'a name of an attribute with a NUL',
      (bytes) => void (bytes[SMALL_XATTR + xattrEntryRecord.size + 2] = 0),
      '/small xattr entry: its name has a NUL in it',
    ],
    [
      'a directory block without entries',
      (bytes) => {
        direntRecord.fields.nameOffset.write(bytes, DIR_ENTRIES, 13);
      },
      '/dir dirent.nameOffset: 13 of the first entry',
    ],
    [
      'a name with a slash',
      (bytes) => void bytes.write('part/txt', bytes.indexOf('part.txt', DIR_ENTRIES), 'latin1'),
      '/dir dirent name: has a slash or a NUL in it',
    ],
    [
      'a "." that is no directory',
      (bytes) => {
        direntRecord.fields.fileType.write(bytes, DIR_ENTRIES, 1);
      },
      '/dir dirent.fileType: "." has type 1',
    ],
    [
      'a name filter that denies what is there',
      (bytes) => {
        xattrBodyRecord.fields.nameFilter.write(bytes, at(SMALL) + compactInodeRecord.size, 0xffff_ffff);
      },
      '/small xattr body.nameFilter: says that "user.anchor.note" is not there',
    ],
  ];

  test.each(damages)('%s', async (_, damage, expected) => {
    const bytes = sample('plain.erofs');
    damage(bytes);
    expect(await told(bytes)).toContain(expected);
  });

  test('content that does not have the digest that is claimed', async () => {
    const bytes = sample('plain-fp.erofs');
    const { findings: none } = await check(bytes);
    expect(none).toEqual([]);
    bytes[bytes.indexOf('hello erofs')] = 0x48;
    expect(await told(bytes)).toEqual([
      expect.stringMatching(/^\/small fingerprint: claims [0-9a-f]{64}, the content has [0-9a-f]{64}$/),
    ]);
  });

  test('a fingerprint of another form', async () => {
    const bytes = sample('plain-fp.erofs');
    bytes.write('md5:', bytes.indexOf('sha256:'), 'latin1');
    const expected = 'fingerprint: a value of 39 bytes, which is not "sha256:" and 32 bytes';
    expect(await told(bytes)).toEqual([`/a.txt ${expected}`]);
  });

  test('inodes that lie on each other', async () => {
    const bytes = sample('force-extended.erofs');
    const root = 36;
    const entries = at(root) + extendedInodeRecord.size;
    const small = entryOf(bytes, entries, 'small');
    // A compact inode in the second half of the root's.
    compactInodeRecord.write(bytes, at(root + 1), { format: 0x10, mode: 0o100644 });
    direntRecord.fields.nid.write(bytes, small, toNid(root + 1));
    expect(await told(bytes)).toContain('/small inode: overlaps inode 36');
  });

  test('every bad pcluster of a file, and what follows them', async () => {
    const bytes = sample('zstd.erofs');
    const magic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
    const places: number[] = [];
    for (let place = bytes.indexOf(magic); place >= 0; place = bytes.indexOf(magic, place + 1))
      places.push(place);
    expect(places.length).toBeGreaterThan(4);
    bytes.fill(0x55, places[0], places[0]! + 8);
    bytes.fill(0x55, places[2], places[2]! + 8);
    const { findings } = await check(bytes);
    expect(findings).toHaveLength(2);
    for (const { error } of findings) expect(error).toMatchObject({ field: 'pcluster', inData: true });
  });

  test('an index that leads to other extents from other places', async () => {
    const bytes = sample('fragments-dedupe.erofs');
    const image = await openBytes(bytes, false);
    const packed = at(image.superblock.packedNid!);
    // In the packed file's compact index, an entry in the middle of an extent: one more lcluster back to its head.
    bytes[packed + 121] = 1;
    const [found, ...others] = await told(bytes);
    expect(found).toMatch(/^- lcluster: lcluster \d+ leads to head \d+, not \d+$/);
    expect(others).toEqual([]);
  });

  test('two encoded extents that start at one place', async () => {
    const records = [0, 8192, 8192].map((start) => {
      const record = Buffer.alloc(extentRecord.size);
      extentRecord.fields.logicalStartLow.write(record, 0, start);
      return record.subarray(0, 16);
    });
    // The table starts on a multiple of its records' size.
    const table = Buffer.concat([Buffer.alloc(8), ...records]);
    const advise = ADVISE.EXTENTS | (2 << ADVISE.EXTENT_SIZE_SHIFT);
    const bytes = craftImage({
      data: Buffer.alloc(0),
      incompat: INCOMPAT['48BIT'],
      file: () => ({ size: 16_384, header: { advise, extentsLow: 3 }, table }),
    });
    expect((await told(bytes)).join('\n')).toContain(
      '/file encoded extent: record 2: it starts at 8192, the one before at 8192',
    );
  });

  test('nanoseconds of one inode', async () => {
    const bytes = sample('force-extended.erofs');
    extendedInodeRecord.fields.mtimeNanoseconds.write(bytes, at(36), 1_000_000_000);
    expect(await told(bytes)).toEqual(['/ inode.mtimeNanoseconds: 1000000000 is a second or more']);
  });

  test('several things at a time', async () => {
    const bytes = sample('plain.erofs');
    const chosen = damages.filter(([name]) => /count that|nanoseconds/.test(name));
    expect(chosen).toHaveLength(3);
    for (const [, damage] of chosen) damage(bytes);
    expect((await told(bytes)).sort()).toEqual(chosen.map(([, , expected]) => expected).sort());
  });
});

test('a directory of an absurd size costs a bounded number of findings', async () => {
  using scratch = new TemporaryDirectory();
  mkdirSync(scratch.join('source'));
  writeFileSync(scratch.join('source', 'file'), 'content');
  systemMkfs.run('-Eforce-inode-extended', '-Enoinline_data', scratch.join('image'), scratch.join('source'));
  const bytes = readFileSync(scratch.join('image'));
  const rootNid = superblockRecord.fields.rootNid2b.read(bytes, SUPERBLOCK_OFFSET, site);
  // All of it a hole: blocks of zeros, each of which is a finding.
  extendedInodeRecord.fields.size.write(bytes, at(rootNid), 2 ** 50);
  extendedInodeRecord.fields.startBlockLow.write(bytes, at(rootNid), 0xffff_ffff);
  extendedInodeRecord.fields.startBlockHigh.write(bytes, at(rootNid), 0xffff);
  const messages = await told(bytes);
  expect(messages.length).toBeLessThan(110);
  expect(messages).toContain('/ dirent: 100 findings: the rest of this directory is not checked');
});

test('a file of an absurd size that is all holes is checked at once', async () => {
  using scratch = new TemporaryDirectory();
  mkdirSync(scratch.join('source'));
  execFileSync('truncate', ['-s', '1M', scratch.join('source', 'file')]);
  systemMkfs.run(
    '-Eforce-inode-extended',
    '--chunksize=1048576',
    scratch.join('image'),
    scratch.join('source'),
  );
  const bytes = readFileSync(scratch.join('image'));
  await using image = await openBytes(bytes, false);
  const found = await image.lookup(await image.inode(image.rootNid), Buffer.from('file'));
  const nid = found!.nid;
  // One chunk of 2^31 blocks, and that a hole.
  bytes.fill(0xff, at(nid) + extendedInodeRecord.size, at(nid) + extendedInodeRecord.size + 4);
  extendedInodeRecord.fields.chunkFormat.write(bytes, at(nid), 0x1f);
  extendedInodeRecord.fields.size.write(bytes, at(nid), 2 ** 42);
  const { findings, summary } = await check(bytes);
  expect(findings).toEqual([]);
  expect(summary.bytes).toBe(0);
});

/** Where the name of an entry of the root starts, from the first entry on. */
function nameOffset(bytes: Buffer, name: string): number {
  return direntRecord.fields.nameOffset.read(bytes, entryOf(bytes, ROOT_ENTRIES, name), site);
}
