import { recordedHolderFindings, orphanFindings, type RecordedHolder } from './holders';
import { Paths } from '../../../snapshotter/paths';
import type { Connection } from './connections';

const images: Connection = { minor: 40, servers: [10, 11], waiting: 0 };

function told(look: Partial<RecordedHolder>, running: boolean, connection = images): string[] {
  const holder = { state: '/s', recorded: { pid: 11, startTime: '5' }, lives: true, refusal: '', ...look };
  return recordedHolderFindings(holder, running, connection).map(({ level, what }) => `${level}: ${what}`);
}

test.each<[string, Partial<RecordedHolder>, boolean, string[]]>([
  ['lives', {}, true, ['ok: a holder keeps the mounts over restarts']],
  ['lives without a daemon', {}, false, ['ok: a holder keeps the mounts over restarts']],
  ['has ended, and the daemon runs', { lives: false }, true, ['problem: no holder keeps the mounts']],
  [
    'was never there, and the daemon runs',
    { recorded: undefined },
    true,
    ['problem: no holder keeps the mounts'],
  ],
  ['has ended with the daemon', { lives: false }, false, []],
  [
    'is told by a later release',
    { recorded: undefined, lives: false, refusal: 'version 9' },
    false,
    ['problem: the mounts are those of a later release'],
  ],
])('a holder that %s', (_how, look, running, expected) => {
  expect(told(look, running)).toEqual(expected);
});

test('a holder that does not keep the mount that is there', () => {
  expect(told({}, true, { ...images, servers: [10] })).toEqual([
    'problem: the holder keeps other mounts than the one that is there',
  ]);
});

test('an orphan on our mount is ended, one whose mount is nowhere may be anybody else', () => {
  const place = {
    paths: new Paths('/r'),
    state: '/s',
    imagesDirectory: '/s/images',
    address: '/s/s.sock',
    adminAddress: '/s/a.sock',
  };
  const [ours, unknown] = orphanFindings(place, [
    { pid: 5, mountedAt: '/s/images' },
    { pid: 6, mountedAt: undefined },
  ]);
  expect(ours).toMatchObject({
    level: 'problem',
    where: 'process 5',
    repair: expect.any(Function) as unknown,
  });
  expect(unknown).toMatchObject({ level: 'note', where: 'process 6' });
  expect(unknown?.repair).toBeUndefined();
});
