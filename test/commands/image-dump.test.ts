import { resolve } from 'node:path';
import { ScratchDirectory } from '../../erofs/writer/testing/scratch-directory';
import { imageCommand } from '../harness/image-command';

const fixture = (name: string): string => resolve('test/fixtures/erofs', name);
const dump = (...words: string[]) => imageCommand('dump', ...words);
const dumpJson = async (...words: string[]) =>
  JSON.parse((await dump('--json', ...words)).stdout) as Record<string, unknown> & {
    extents: Record<string, unknown>[];
  };

test('shows the superblock', async () => {
  const { stdout } = await dump(fixture('plain-fp.erofs'));
  expect(stdout).toMatch(/^Block size +4096 bytes$/m);
  expect(stdout).toMatch(/^UUID +11111111-2222-3333-4444-555555555555$/m);
  expect(stdout).toMatch(
    /^Compatible features +SB_CHKSUM, MTIME, XATTR_FILTER, PLAIN_XATTR_PFX, ISHARE_XATTRS$/m,
  );
  expect(stdout).toMatch(/^Fingerprints +trusted\.erofs\.fingerprint$/m);
});

test('shows the superblock as JSON', async () => {
  expect(await dumpJson(fixture('metacompr.erofs'))).toMatchObject({
    block_size: 4096,
    root_nid: expect.stringMatching(/^0x8/) as string,
    metabox_nid: expect.any(Number) as number,
    algorithms: ['LZ4'],
    devices: [],
  });
});

test('shows extra devices', async () => {
  const { devices } = await dumpJson(fixture('chunk-blobdev.erofs'));
  expect(devices).toEqual([expect.objectContaining({ blocks: expect.any(Number) as number })]);
});

test('shows an inode with its layout and extents', async () => {
  const { stdout } = await dump(fixture('zstd-48bit.erofs'), 'a.txt');
  expect(stdout).toMatch(/^Layout +compressed, full indexes$/m);
  expect(stdout).toMatch(/^ +0 +0 +16384 +4096 +7224 +image +Zstandard$/m);
});

test('extents as JSON cover the file, and say where the bytes are', async () => {
  const { size, extents, layout } = await dumpJson(fixture('chunk-blobdev.erofs'), 'a.txt');
  expect(layout).toBe('chunk-based');
  expect(extents.reduce((sum, { length }) => sum + Number(length), 0)).toBe(size);
  for (const { where } of extents) expect(where).toBe('device 1');
});

test('an inode is found by its number too, in a metabox as well', async () => {
  const byPath = await dumpJson(fixture('metacompr.erofs'), 'small');
  expect(byPath['nid']).toMatch(/^0x8/);
  expect(await dumpJson('--nid', String(byPath['nid']), fixture('metacompr.erofs'))).toEqual(byPath);
  const plain = await dumpJson('--nid', '3826', fixture('plain.erofs'));
  expect(plain).toMatchObject({ type: 'file', size: 12, xattrs: [{ name: 'user.anchor.note' }] });
});

test('the empty file has no extents', async () => {
  expect((await dumpJson(fixture('lz4.erofs'), 'empty')).extents).toEqual([]);
});

test('wrong words are told', async () => {
  expect(await dump(fixture('plain.erofs'), 'nowhere')).toMatchObject({
    exitCode: 1,
    stderr: 'ishare: image dump: nowhere: no such file or directory\n',
  });
  expect((await dump('--nid', 'x', fixture('plain.erofs'))).stderr).toContain('It is no number of an inode.');
  expect((await dump('--nid', '3', fixture('plain.erofs'), 'a.txt')).exitCode).toBe(1);
  expect((await dump('--nid', '99999999', fixture('plain.erofs'))).stderr).toContain('lies outside');
});

test('shows what compressed an image of ours', async () => {
  using scratch = new ScratchDirectory();
  scratch.shell('mkdir source; yes text | head -c 100000 > source/text');
  const image = scratch.join('image');
  await imageCommand('build', '--compress', 'lz4', scratch.join('source'), image);
  expect((await dump(image)).stdout).toMatch(/^Compressed by +liblz4 \d+\.\d+\.\d+$/m);
  expect((await dumpJson(image))['codecs']).toMatch(/^liblz4 /);
});
