import { Contents } from '../../erofs/comparison/contents';
import { sharedContent } from '../../erofs/comparison/shared-content';
import { compareTrees } from '../../erofs/comparison/tree-comparison';
import { ErofsCorruptError } from '../../erofs/errors';
import { compactInodeRecord } from '../../erofs/format/inode';
import { direntRecord } from '../../erofs/format/dirent';
import { devicesOf, openBytes, sample, sampleNames, seal } from './damaged-image';

/** Inodes of plain.erofs, and where the entries of its root are. */
const NIDS = { root: 36, text: 42, dir: 97, empty: 101, link: 102, small: 3826 };
const ROOT_ENTRIES = NIDS.root * 32 + compactInodeRecord.size;
const { mode, uid, size, mtime } = compactInodeRecord.fields;

/** What differs between plain.erofs and what it has become, a line for each path. */
async function differences(change: (bytes: Buffer) => void, swapped = false): Promise<string[]> {
  const changed = sample('plain.erofs');
  change(changed);
  await using original = await openBytes(sample('plain.erofs'), false);
  await using other = await openBytes(seal(changed), false);
  const [before, after] = swapped ? [other, original] : [original, other];
  const lines: string[] = [];
  for await (const { kind, path, aspects } of compareTrees(new Contents(before), new Contents(after)))
    lines.push(`${kind} ${path.toString()} ${aspects.join()}`.trim());
  return lines;
}

test.each(sampleNames.filter((name) => !name.startsWith('tar-')))(
  'plain.erofs and %s hold the same tree, and share all of it',
  async (name) => {
    await using plain = await openBytes(sample('plain.erofs'), false);
    await using other = await openBytes(sample(name), false, devicesOf[name]);
    const [before, after] = [new Contents(plain), new Contents(other)];
    expect((await compareTrees(before, after).next()).done).toBe(true);
    let total = 0;
    const shared = await sharedContent(before, after, (bytes) => (total = bytes));
    const bytes = 100_003 * 2 + 32_772 + 20_000 + 12;
    const fingerprinted = name.includes('-fp');
    expect(total).toBe(fingerprinted ? bytes : 2 * bytes);
    expect(shared).toMatchObject({
      before: { files: 5, bytes, inOther: 5, bytesInOther: bytes, computed: 5 },
      after: { files: 5, bytes, inOther: 5, bytesInOther: bytes, computed: fingerprinted ? 0 : 5 },
      sharedContents: 4,
      sharedBytes: bytes - 100_003,
    });
    expect(shared.pageCacheShared).toBeLessThan(shared.pageCacheAlone / 2);
  },
);

const at = (nid: number): number => 32 * nid;

test.each<[string, (bytes: Buffer) => void, string[]]>([
  [
    'a mode',
    (bytes) => {
      mode.write(bytes, at(NIDS.small), 0o100600);
    },
    ['changed /small mode'],
  ],
  [
    'an owner',
    (bytes) => {
      uid.write(bytes, at(NIDS.small), 7);
    },
    ['changed /small owner'],
  ],
  [
    'a time',
    (bytes) => {
      mtime.write(bytes, at(NIDS.text), 5);
    },
    ['changed /a.txt time'],
  ],
  [
    'a size',
    (bytes) => {
      size.write(bytes, at(NIDS.text), 99_000);
    },
    ['changed /a.txt content'],
  ],
  [
    'a byte of content',
    (bytes) => void bytes.write('H', bytes.indexOf('hello erofs'), 'latin1'),
    ['changed /small content'],
  ],
  [
    'a symlink',
    (bytes) => void bytes.write('b.txt', at(NIDS.link) + compactInodeRecord.size, 'latin1'),
    ['changed /link target'],
  ],
  [
    'a type',
    (bytes) => {
      mode.write(bytes, at(NIDS.empty), 0o010644);
    },
    ['changed /empty type'],
  ],
  [
    'an attribute',
    (bytes) => void bytes.write('HI', bytes.indexOf('anchor.notehi') + 11, 'latin1'),
    ['changed /small xattrs'],
  ],
])('%s that differs is told', async (_, change, expected) => {
  expect(await differences(change)).toEqual(expected);
});

test('a directory that is gone is told with all that was in it', async () => {
  // "dir" becomes an empty file.
  const change = (bytes: Buffer): void => {
    const entry = ROOT_ENTRIES + 3 * direntRecord.size;
    direntRecord.fields.nid.write(bytes, entry, NIDS.empty as never);
  };
  const below = ['/dir/a-copy.txt', '/dir/part.txt'];
  const [first, ...rest] = await differences(change);
  expect(first).toMatch(/^changed \/dir type,mode/);
  expect(rest).toEqual(below.map((path) => `removed ${path}`));
  expect((await differences(change, true)).slice(1)).toEqual(below.map((path) => `added ${path}`));
});

test('a directory that holds itself is refused', async () => {
  const change = (bytes: Buffer): void => {
    direntRecord.fields.nid.write(bytes, ROOT_ENTRIES + 3 * direntRecord.size, NIDS.root as never);
  };
  await expect(differences(change)).rejects.toThrow(ErofsCorruptError);
});
