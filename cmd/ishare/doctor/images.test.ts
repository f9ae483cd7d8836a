import { Kind } from '../../../proto/snapshots';
import type { SnapshotRow } from './database';
import { rowFindings, type RowLook } from './images';

const row: SnapshotRow = {
  id: 1,
  name: 'sha256:abc',
  kind: Kind.COMMITTED,
  damage: '',
  trust: 'computed',
  trustReason: '',
  digestsRoot: null,
  mergedDigestsRoot: null,
  mergedDamage: '',
};

function told(look: Partial<RowLook>, changes: Partial<SnapshotRow> = {}): string[] {
  const whole: RowLook = {
    merged: false,
    path: '/r/images/1.erofs',
    digests: '/r/images/1.digests',
    problem: undefined,
    digestsProblem: undefined,
    ...look,
    row: { ...row, ...changes },
  };
  return rowFindings([whole]).map(({ level, what, where }) => `${level}: ${what} (${where})`);
}

test.each<[Partial<RowLook>, Partial<SnapshotRow>, string]>([
  [{}, {}, 'ok: every row has its files (1 rows)'],
  [{}, { trust: 'verified' }, 'ok: every row has its files (1 rows)'],
  [{ problem: 'short' }, {}, 'problem: an image that cannot be used (/r/images/1.erofs)'],
  [{ digestsProblem: 'other' }, {}, 'problem: digests that cannot be used (/r/images/1.digests)'],
  [{}, { damage: 'block 7' }, 'problem: an image was found damaged (/r/images/1.erofs)'],
  [
    { merged: true, path: '/r/images/1.merged.erofs' },
    { mergedDamage: 'block 7', trust: 'quarantined', damage: 'told elsewhere' },
    'problem: an image was found damaged (/r/images/1.merged.erofs)',
  ],
  [{}, { trust: 'quarantined' }, 'problem: an image in quarantine (/r/images/1.erofs)'],
  [{}, { trust: 'unverified' }, 'note: an image that is not verified yet (/r/images/1.erofs)'],
  [
    { problem: 'gone', path: '/r/snapshots/1/fs' },
    { kind: Kind.ACTIVE },
    "problem: a snapshot's directory is missing (/r/snapshots/1/fs)",
  ],
])('%j of a row with %j', (look, changes, expected) => {
  expect(told(look, changes)).toEqual([expected]);
});
