import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { gzipSync } from 'node:zlib';
import { ImageBuildError } from '../errors';
import { ScratchDirectory } from '../testing/scratch-directory';
import { hasHeaderChecksum, HEADER, TAR_BLOCK, TYPE } from './header';
import {
  directoryMember,
  END,
  GNU_MAGIC,
  gnuLong,
  header,
  linkMember,
  member,
  padded,
  pax,
  symlinkMember,
  withChecksum,
} from './testing/craft-tar';
import { failureOf, ReadLayer } from './testing/read-layer';
import { LONG } from '../../../linux/testing/long-trials';

jest.setTimeout(LONG ? 600_000 : 60_000);

/** A tar with a little of everything. */
const everything = Buffer.concat([
  pax(
    [
      ['comment', 'x'],
      ['SCHILY.xattr.user.all', '1'],
    ],
    TYPE.PAX_GLOBAL,
  ),
  directoryMember('./'),
  member({ name: 'a/file' }, 'some text'),
  symlinkMember('link', 'a/b'),
  member({ name: 'link/c/file', magic: GNU_MAGIC }, 'y'.repeat(700)),
  linkMember('hard', 'link/c/file'),
  gnuLong(TYPE.GNU_LONG_NAME, `${'n'.repeat(200)}/x`),
  member({}, 'long'),
  pax([
    ['path', 'pax/\u00ff'],
    ['mtime', '-1.5'],
    ['size', '4'],
    ['SCHILY.xattr.security.capability', Buffer.alloc(20, 1)],
  ]),
  member({}, 'text'),
  pax([
    ['GNU.sparse.major', '1'],
    ['GNU.sparse.minor', '0'],
    ['GNU.sparse.name', 's'],
    ['GNU.sparse.realsize', '5000'],
  ]),
  member({}, Buffer.concat([padded('2\n0\n3\n4999\n1\n'), Buffer.from('abcd')])),
  header({ name: 'char', type: TYPE.CHARACTER_DEVICE, major: 1, minor: 3 }),
  member({ name: 'a/.wh.b' }),
  member({ name: 'a/.wh..wh..opq' }),
  END,
]);

function realTar(): Buffer {
  using scratch = new ScratchDirectory();
  scratch.shell(`mkdir source; cd source; mkdir -p dir/sub; echo text > dir/file; ln dir/file hard; ln -s dir link
    mkfifo fifo; truncate -s 1M dir/sparse; echo x >> dir/sparse; setfattr -n user.own -v 1 dir/sub`);
  return execFileSync('tar', [
    '-cS',
    '--format=pax',
    '--sparse-version=0.1',
    '--xattrs',
    '-C',
    scratch.join('source'),
    '.',
  ]);
}

interface Damage {
  readonly kind: 'flip' | 'cut' | 'swap' | 'repeat' | 'number';
  readonly at: number;
  readonly value: number;
}

/** Applies damage; headers get their checksums right again where `mended`, so that readers look further. */
function damaged(original: Buffer, damages: readonly Damage[], mended: boolean): Buffer {
  let bytes = Buffer.from(original);
  const headers = blocksOf(bytes).filter((at) => hasHeaderChecksum(bytes.subarray(at, at + TAR_BLOCK)));
  for (const { kind, at, value } of damages) {
    const byte = at % Math.max(1, bytes.length);
    const block = byte - (byte % TAR_BLOCK);
    switch (kind) {
      case 'flip':
        bytes[byte] = value;
        break;
      case 'number':
        Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, value]).copy(
          bytes,
          block + HEADER.size.offset,
          value % 12,
        );
        break;
      case 'cut':
        bytes = bytes.subarray(0, byte);
        break;
      case 'swap':
        bytes = Buffer.concat([bytes.subarray(block), bytes.subarray(0, block)]);
        break;
      case 'repeat':
        bytes = Buffer.concat([bytes, bytes.subarray(block, block + 3 * TAR_BLOCK)]);
        break;
    }
  }
  if (mended) {
    for (const at of headers)
      if (at + TAR_BLOCK <= bytes.length) withChecksum(bytes.subarray(at, at + TAR_BLOCK));
  }
  return bytes;
}

function blocksOf(bytes: Buffer): number[] {
  return Array.from({ length: Math.floor(bytes.length / TAR_BLOCK) }, (_, index) => index * TAR_BLOCK);
}

const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom(
    'flip' as const,
    'flip' as const,
    'flip' as const,
    'cut' as const,
    'swap' as const,
    'repeat' as const,
    'number' as const,
  ),
  at: fc.nat(),
  value: fc.integer({ min: 0, max: 255 }),
});

/** A tree whose contents can be read, or an error that says what is wrong with the source. */
async function expectTreeOrError(bytes: Buffer): Promise<'tree' | 'error'> {
  try {
    using layer = await ReadLayer.ofBytes(bytes);
    for (const path of layer.paths) {
      const node = layer.at(path);
      if (node.kind === 'file' && node.content.size < 2_000_000) layer.text(path);
    }
    return 'tree';
  } catch (error) {
    expect(error).toBeInstanceOf(ImageBuildError);
    return 'error';
  }
}

test.each([
  ['a crafted tar', () => everything],
  ["GNU tar's", realTar],
])('%s, damaged at random, gives a tree or an error that says why', async (_, make) => {
  const original = make();
  expect(await expectTreeOrError(original)).toBe('tree');
  const outcomes = { tree: 0, error: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(damage, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (damages, mended) => {
        outcomes[await expectTreeOrError(damaged(original, damages, mended))]++;
      },
    ),
    { numRuns: LONG ? 5000 : 250 },
  );
  // Both happen, or the damage is of no use.
  expect(outcomes.tree).toBeGreaterThan(10);
  expect(outcomes.error).toBeGreaterThan(10);
});

test('bytes at random give an error or nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 3000 }),
      fc.constantFrom('', '1f8b', '28b52ffd'),
      async (bytes, magic) => {
        await expectTreeOrError(Buffer.concat([Buffer.from(magic, 'hex'), Buffer.from(bytes)]));
      },
    ),
    { numRuns: LONG ? 2000 : 150 },
  );
});

test('damaged gzip gives a tree or an error that says why', async () => {
  const packed = gzipSync(everything);
  await fc.assert(
    fc.asyncProperty(fc.nat(packed.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
      const bytes = Buffer.from(packed);
      bytes[at] = bytes[at]! ^ mask;
      await expectTreeOrError(bytes);
    }),
    { numRuns: LONG ? 2000 : 150 },
  );
});

describe('claims cost nothing', () => {
  test('a file of 8 EiB that is not there', async () => {
    const raw = { [HEADER.size.offset]: Buffer.from('800000000fffffffffffffff', 'hex') };
    expect(await failureOf(header({ name: 'huge', raw }), END)).toMatchObject({
      problem: 'size: 1152921504606846975 is beyond every real number here',
    });
    expect(await failureOf(pax([['size', '9007199254740991']]), header({ name: 'huge' }), END)).toMatchObject(
      {
        entry: 'huge',
        problem: 'the stream ends at byte 2560: 9007199254739967 bytes of content are missing',
      },
    );
  });

  test('a hole of 4 PiB', async () => {
    const size = 2 ** 52;
    using layer = await ReadLayer.ofBytes(
      pax([
        ['GNU.sparse.size', `${size}`],
        ['GNU.sparse.map', `${size - 1},1`],
      ]),
      member({ name: 'hole' }, 'x'),
      END,
    );
    expect(layer.at('hole')).toMatchObject({ content: { size } });
  });

  test('links that multiply the names on the way', async () => {
    const doubling = Array.from({ length: 30 }, (_, index) =>
      symlinkMember(`l${index + 1}`, Array(8).fill(`l${index}`).join('/../')),
    );
    const error = await failureOf(directoryMember('l0'), ...doubling, member({ name: 'l30/file' }), END);
    expect(error).toMatchObject({ problem: 'too many symbolic links on the way to it' });
  });

  test('a path of 100,000 directories', async () => {
    using layer = await ReadLayer.ofBytes(pax([['path', `${'d/'.repeat(100_000)}file`]]), member({}), END);
    let depth = 0;
    for (let node = layer.at('d'); node.kind === 'directory'; depth++) node = [...node.entries.values()][0]!;
    expect(depth).toBe(100_000);
  });
});
