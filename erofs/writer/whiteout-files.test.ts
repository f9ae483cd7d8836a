import { chownSync, utimesSync } from 'node:fs';
import { readDirectoryTree } from './from-directory';
import { HostDirectories } from './host-directories';
import { Pace } from './pace';
import { differences, expectedObservation } from './testing/observation';
import { ScratchDirectory } from './testing/scratch-directory';
import { ReadLayer } from './tar/testing/read-layer';
import type { DirectoryNode } from './tree';
import { whiteoutName } from './whiteout-files';

test.each([
  ['file', { kind: 'none' }],
  ['.wh', { kind: 'none' }],
  ['x.wh.y', { kind: 'none' }],
  ['.wh.file', { kind: 'whiteout', hidden: 'file' }],
  ['.wh..hidden', { kind: 'whiteout', hidden: '.hidden' }],
  ['.wh..wh', { kind: 'whiteout', hidden: '.wh' }],
  ['.wh....', { kind: 'whiteout', hidden: '...' }],
  ['.wh..wh..opq', { kind: 'opaque' }],
  ['.wh..wh..opqx', { kind: 'private' }],
  ['.wh..wh.plnk', { kind: 'private' }],
  ['.wh..wh.', { kind: 'private' }],
  ['.wh.', { kind: 'invalid' }],
  ['.wh..', { kind: 'invalid' }],
  ['.wh...', { kind: 'invalid' }],
])('%s', (name, meaning) => {
  expect(whiteoutName(name)).toEqual(meaning);
});

async function read(directory: string, overlay: boolean, whiteoutFiles: boolean): Promise<DirectoryNode> {
  using directories = new HostDirectories();
  return await readDirectoryTree({ directory, overlay, whiteoutFiles }, directories, new Pace(undefined));
}

describe('an unpacked layer with whiteout files', () => {
  const script = `mkdir -p source/opaque/below source/replaced source/plain source/.wh.directory; cd source
    touch .wh.gone opaque/.wh..wh..opq opaque/below/file .wh.replaced replaced/new .wh.kept kept
    touch .wh..wh.aufs plain/$'.wh.\\xff'; mkdir .wh..wh.plnk; touch .wh..wh.plnk/1 .wh.directory/file
    setfattr -n trusted.overlay.origin -v 0x00fb plain; setfattr -n user.own -v 1 opaque`;

  test('hides what it says, and nothing of its own', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell(script);
    chownSync(scratch.join('source', '.wh.gone'), 5, 6);
    utimesSync(scratch.join('source', '.wh.gone'), 100.5, 100.5);
    const root = await read(scratch.join('source'), false, true);
    const lines = expectedObservation(root).map((line) => line.replace(/ (owner|mtime).*xattrs/, ''));
    const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    expect(lines).toEqual([
      '"" mode 40755 [] ',
      '"/directory" mode 20000 [] ',
      '"/gone" mode 20000 [] ',
      `"/kept" mode 100644 [] ${empty}`,
      '"/opaque" mode 40755 [trusted.overlay.opaque=79, user.own=31] ',
      '"/opaque/below" mode 40755 [] ',
      `"/opaque/below/file" mode 100644 [] ${empty}`,
      '"/plain" mode 40755 [] ',
      '"/plain/\u00ff" mode 20000 [] ',
      '"/replaced" mode 40755 [trusted.overlay.opaque=79] ',
      `"/replaced/new" mode 100644 [] ${empty}`,
    ]);
    const gone = [...root.entries].find(([name]) => name === 'gone')?.[1];
    expect(gone).toMatchObject({ uid: 5, gid: 6, mtime: { seconds: 100, nanoseconds: 500_000_000 } });
  });

  test('reads as its tar does', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell(
      `${script}; rm -r .wh.directory; tar --format=pax --xattrs --xattrs-include='*' -cf ../layer.tar .`,
    );
    using layer = await ReadLayer.of({ tar: scratch.join('layer.tar') });
    const expected = expectedObservation(await read(scratch.join('source'), false, true));
    expect(differences(layer.observation, expected)).toEqual([]);
  });

  test('is a directory like any other where nobody says what it is', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir source; touch source/.wh.file');
    const root = await read(scratch.join('source'), true, false);
    expect([...root.entries.keys()]).toEqual(['.wh.file']);
  });

  test('with a whiteout of no possible name is an error', async () => {
    using scratch = new ScratchDirectory();
    scratch.shell('mkdir -p source/sub; touch source/sub/.wh.');
    await expect(read(scratch.join('source'), false, true)).rejects.toThrow(
      `${scratch.join('source')}/sub/.wh.: a whiteout of no possible name`,
    );
  });
});
