import { parseMountTable } from '../../../linux/mount-table';
import { Kind } from '../../../proto/snapshots';
import { Paths } from '../../../snapshotter/paths';
import type { DatabaseContent, SnapshotRow } from './database';
import { overlaysAbove, overlaysOf, useOf } from './layers-in-use';
import { lostLayerFindings, overlayFindings } from './overlays';

const place = { paths: new Paths('/r'), imagesDirectory: '/s/images' };

function overlay(number: number, target: string, options: string): string {
  return `${number} 1 0:${number} / ${target} rw - overlay overlay ro,${options},index=off`;
}

const LAYER = '/s/images/0123/7';

function tables(own: readonly string[], ...others: readonly string[][]): Parameters<typeof overlaysOf>[0] {
  const parse = (lines: readonly string[]) => parseMountTable(`${lines.join('\n')}\n`);
  return { own: parse(own), others: others.map(parse) };
}

function content(rows: Readonly<Record<number, number>>, attachments: readonly number[]): DatabaseContent {
  const row = (id: number, kind: number): SnapshotRow => ({
    id,
    name: `snapshot ${id}`,
    kind,
    damage: '',
    trust: 'computed',
    trustReason: '',
    digestsRoot: null,
    mergedDigestsRoot: null,
    mergedDamage: '',
  });
  return {
    snapshots: new Map(Object.entries(rows).map(([id, kind]) => [Number(id), row(Number(id), kind)])),
    attachments: attachments.map((id) => ({ id, nodeRange: id })),
  };
}

const container = `lowerdir=${LAYER},upperdir=/r/snapshots/5/fs,workdir=/r/snapshots/5/work`;

test('layers of an overlay are told from both forms of its options', () => {
  const [found] = overlaysOf(tables([overlay(30, '/c', `lowerdir=/a:/b,lowerdir+=/x,upperdir=/u`)]));
  expect(found).toEqual({
    device: '0:30',
    targets: ['/c'],
    elsewhere: 0,
    upper: '/u',
    lower: ['/a', '/b', '/x'],
  });
  expect(overlaysAbove([found!], '/a')).toHaveLength(1);
  expect(overlaysAbove([found!], '/ab')).toHaveLength(0);
});

test.each<[string, DatabaseContent, number]>([
  ['is active', content({ 5: Kind.ACTIVE }, [7]), 0],
  ['is gone', content({}, [7]), 1],
  ['was committed', content({ 5: Kind.COMMITTED }, [7]), 1],
])('an overlay with an upper directory whose snapshot %s', (_how, known, found) => {
  const overlays = overlaysOf(tables([overlay(30, '/c', container)]));
  expect(overlayFindings(place, overlays, known)).toHaveLength(found);
});

test('a view is told by its layers, and what has no layer here is not ours', () => {
  const view = overlaysOf(tables([overlay(30, '/c', `lowerdir=${LAYER}:/s/images/0123/8`)]));
  expect(overlayFindings(place, view, content({}, [7, 8]))).toEqual([]);
  expect(overlayFindings(place, view, content({}, [7]))).toHaveLength(1);
  const foreign = overlaysOf(tables([overlay(30, '/c', 'lowerdir=/other/images/0123/7')]));
  expect(overlayFindings(place, foreign, content({}, []))).toEqual([]);
});

test('an overlay that a container has is left alone', () => {
  const line = overlay(30, '/c', container);
  const [free] = overlayFindings(place, overlaysOf(tables([line])), content({}, []));
  const [used] = overlayFindings(place, overlaysOf(tables([line], [line])), content({}, []));
  expect(free?.repair).toBeDefined();
  expect(used).toMatchObject({ where: '/c' });
  expect(used?.repair).toBeUndefined();
});

test('a directory is in use by a mount on it, a bind mount of it, and an overlay of another namespace', () => {
  const directory = '/r/snapshots/5';
  const origin = { device: '8:1', inside: '/r/snapshots/5' };
  const idle = '1 0 8:1 / / rw - ext4 d rw';
  expect(useOf(tables([idle]), directory, origin)).toBeUndefined();
  expect(useOf(tables([idle, '2 1 0:3 / /r/snapshots/5/fs/x rw - tmpfs t rw']), directory, origin)).toBe(
    '/r/snapshots/5/fs/x',
  );
  expect(useOf(tables([idle], ['2 1 8:1 /r/snapshots/5/fs /c rw - ext4 d rw']), directory, origin)).toBe(
    '/c',
  );
  expect(useOf(tables([idle], [overlay(30, '/', container)]), directory, origin)).toBe('/r/snapshots/5');
});

test('layers may be lost where a connection is, and something lies above', () => {
  const overlays = overlaysOf(tables([overlay(30, '/c', container)]));
  expect(lostLayerFindings(overlays, [])).toEqual([]);
  expect(lostLayerFindings([], [42])).toEqual([]);
  expect(lostLayerFindings(overlays, [42])).toMatchObject([{ level: 'note', where: '/c' }]);
});
