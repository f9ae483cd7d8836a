import { Kind } from '../../../proto/snapshots';
import { Paths } from '../../../snapshotter/paths';
import type { DatabaseContent, SnapshotRow } from './database';
import { leftoverFindings, type FilesLook, type Running } from './files';

const paths = new Paths('/r');
const UNFINISHED = '.4.erofs.tmp-0123456789abcdef';

const kinds: readonly [number, number][] = [
  [1, Kind.COMMITTED],
  [2, Kind.ACTIVE],
  [3, Kind.VIEW],
  [4, Kind.COMMITTED],
];
const content: DatabaseContent = {
  snapshots: new Map(
    kinds.map(([id, kind]) => [
      id,
      { id, kind, name: '', mergedDigestsRoot: id === 4 ? 'root' : null } as SnapshotRow,
    ]),
  ),
  attachments: [],
};

function leftovers(files: Partial<FilesLook>, running?: Partial<Running>): string[] {
  const look = { images: [], snapshots: [], trash: [], state: [], ...files };
  const daemon = running && { openFiles: new Set<string>(), cleanUp: () => Promise.resolve(), ...running };
  return leftoverFindings(paths, '/s', look, content, daemon)
    .filter(({ level }) => level === 'problem')
    .map(({ what, where }) => `${what}: ${where}`);
}

test('what rows own is no leftover', () => {
  expect(
    leftovers({
      images: ['1.digests', '1.erofs', '4.erofs', '4.merged.erofs', '4.merged.digests'],
      snapshots: ['2', '3'],
    }),
  ).toEqual([]);
});

test.each<[Partial<FilesLook>, string]>([
  [{ images: ['9.erofs'] }, 'an image without a row: /r/images/9.erofs'],
  [{ images: ['2.erofs'] }, 'an image without a row: /r/images/2.erofs'],
  [{ images: ['9.merged.erofs'] }, 'an image without a row: /r/images/9.merged.erofs'],
  [{ images: ['1.merged.erofs'] }, 'an image without a row: /r/images/1.merged.erofs'],
  [{ images: ['1.merged.digests'] }, 'digests without a row: /r/images/1.merged.digests'],
  [{ images: ['9.digests'] }, 'digests without a row: /r/images/9.digests'],
  [{ images: [UNFINISHED] }, `an unfinished image: /r/images/${UNFINISHED}`],
  [{ images: ['1.erofs.old'] }, 'a file that is no image: /r/images/1.erofs.old'],
  [{ snapshots: ['9'] }, "a snapshot's directory without a row: /r/snapshots/9"],
  [{ snapshots: ['1'] }, "a snapshot's directory without a row: /r/snapshots/1"],
  [{ snapshots: ['x'] }, "a snapshot's directory without a row: /r/snapshots/x"],
  [{ trash: ['tree'] }, 'undeleted trash: /r/trash/tree'],
  [{ state: ['takeover.json.0123abcd'] }, 'an unfinished takeover state: /s/takeover.json.0123abcd'],
])('%j without a daemon', (files, expected) => {
  expect(leftovers(files)).toEqual([expected]);
});

test('the state, its journal and the images mount are none', () => {
  expect(leftovers({ state: ['images', 'lock', 'takeover.json', 'takeover.journal'] })).toEqual([]);
});

test('what a daemon is in the middle of is none while it runs', () => {
  const openFiles = new Set([`/r/images/${UNFINISHED}`]);
  const files = {
    images: ['2.digests', '2.erofs', UNFINISHED],
    trash: ['x'],
    state: ['takeover.json.0123abcd'],
  };
  expect(leftovers(files, { openFiles })).toEqual([]);
  expect(leftovers(files, {})).toEqual([`an unfinished image: /r/images/${UNFINISHED}`]);
});

test('a daemon that runs is asked to throw leftovers away', async () => {
  const cleanUp = jest.fn(() => Promise.resolve());
  const files = { images: ['9.erofs'], snapshots: [], trash: [], state: [] };
  const [found] = leftoverFindings(paths, '/s', files, content, { openFiles: new Set(), cleanUp });
  await found?.repair?.();
  expect(cleanUp).toHaveBeenCalledTimes(1);
});
