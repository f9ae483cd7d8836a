import { Kind } from '../proto/snapshots';
import { InvalidArgumentError } from './errors';
import { planMounts } from './mount-plan';
import { assertOverlaySafe, Paths } from './paths';

const own = { upper: '/s/1/fs', work: '/s/1/work' };

test('without parents, the snapshot is its own directory', () => {
  const bound = { type: 'bind', source: '/s/1/fs', target: '' };
  expect(planMounts({ kind: Kind.ACTIVE, ...own, lower: [] })).toEqual([
    { ...bound, options: ['rw', 'rbind'] },
  ]);
  expect(planMounts({ kind: Kind.VIEW, ...own, lower: [] })).toEqual([
    { ...bound, options: ['ro', 'rbind'] },
  ]);
});

test('a view of one layer is that layer, read-only', () => {
  expect(planMounts({ kind: Kind.VIEW, ...own, lower: ['/l/7'] })).toEqual([
    { type: 'bind', source: '/l/7', target: '', options: ['ro', 'rbind'] },
  ]);
});

test('a view of several layers is an overlay that cannot be written', () => {
  const [mount] = planMounts({ kind: Kind.VIEW, ...own, lower: ['/l/8', '/l/7'] });
  expect(mount).toMatchObject({ type: 'overlay', source: 'overlay' });
  expect(mount!.options).toContain('lowerdir=/l/8:/l/7');
  expect(mount!.options.join()).not.toMatch(/upperdir|workdir/);
});

test('an active snapshot with parents is an overlay, the nearest parent uppermost', () => {
  const [mount] = planMounts({ kind: Kind.ACTIVE, ...own, lower: ['/l/8', '/l/7'] });
  expect(mount!.type).toBe('overlay');
  expect(mount!.options).toEqual(
    expect.arrayContaining(['workdir=/s/1/work', 'upperdir=/s/1/fs', 'lowerdir=/l/8:/l/7']),
  );
});

test('no overlay leaves a feature to the default of the distribution', () => {
  for (const kind of [Kind.ACTIVE, Kind.VIEW] as const) {
    const [mount] = planMounts({ kind, ...own, lower: ['/l/8', '/l/7'] });
    const features = ['index=off', 'metacopy=off', 'redirect_dir=nofollow', 'xino=off'];
    expect(mount!.options).toEqual(expect.arrayContaining(features));
  }
});

test('paths that overlay options cannot carry are refused', () => {
  for (const path of ['/a:b', '/a,b', '/a\\b', 'relative']) {
    expect(() => assertOverlaySafe(path)).toThrow(InvalidArgumentError);
    expect(() => new Paths(path)).toThrow(InvalidArgumentError);
  }
  assertOverlaySafe('/var/lib/a b=c');
});
