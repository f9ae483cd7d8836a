import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { realtimeNs } from '../../linux/clock';
import { type Info, Kind, type Timestamp } from '../../proto/snapshots';
import { mountSnapshot } from '../harness/mounting';
import { failureOf } from '../harness/snapshots-connection';
import { changes, file } from '../harness/tree';
import { LABELS, type SuiteContext } from './suite-context';

/** The behaviours that are about names, kinds, parents, labels and times. */
export function testMetadata(context: () => SuiteContext): void {
  /** Committed c1 and c2 upon it; a1 and v1 upon c2; a2 and v2 upon nothing. */
  async function baseSnapshots(): Promise<Info[]> {
    await context().client.prepare('c1-a', '', LABELS);
    await context().client.commit('c1', 'c1-a', LABELS);
    await context().client.prepare('c2-a', 'c1', LABELS);
    await context().client.commit('c2', 'c2-a', LABELS);
    await context().client.prepare('a1', 'c2', LABELS);
    await context().client.prepare('a2', '', LABELS);
    await context().client.view('v1', 'c2', LABELS);
    await context().client.view('v2', '', LABELS);
    return Promise.all(['c1', 'c2', 'a1', 'a2', 'v1', 'v2'].map((key) => context().client.stat(key)));
  }

  test('StatActive: a snapshot in use is active and has no parent', async () => {
    using mounted = await mountSnapshot(
      await context().client.prepare('preparing', '', LABELS),
      context().scratch.in('mnt'),
    );
    await writeFile(join(mounted.path, 'foo'), 'foo\n');
    expect(await context().client.stat('preparing')).toMatchObject({
      name: 'preparing',
      kind: Kind.ACTIVE,
      parent: '',
    });
  });

  test('StatComitted: a snapshot may be committed while it is mounted', async () => {
    using mounted = await mountSnapshot(
      await context().client.prepare('preparing', '', LABELS),
      context().scratch.in('mnt'),
    );
    await writeFile(join(mounted.path, 'foo'), 'foo\n');
    await context().client.commit('committed', 'preparing', LABELS);
    expect(await context().client.stat('committed')).toMatchObject({
      name: 'committed',
      kind: Kind.COMMITTED,
      parent: '',
    });
  });

  test('TransitivityTest: the parent of a parent', async () => {
    await context().layer('a', '', file('foo', 'foo\n'));
    await context().layer('b', 'a', file('foo', 'foo bar\n'));
    const b = await context().client.stat('b');
    expect((await context().client.stat('a')).parent).toBe('');
    expect(b.parent).toBe('a');
    expect((await context().client.stat(b.parent)).parent).toBe('');
  });

  test('PreareViewFailingtest: a key that is taken is refused', async () => {
    await context().layer('a', '', changes());
    await context().client.prepare('new', 'a', LABELS);
    expect((await failureOf(context().client.view('new', 'a', LABELS))).code).toBe(status.ALREADY_EXISTS);
    expect((await failureOf(context().client.prepare('new', 'a', LABELS))).code).toBe(status.ALREADY_EXISTS);
    await context().client.view('seen', 'a', LABELS);
    expect((await failureOf(context().client.view('seen', 'a', LABELS))).code).toBe(status.ALREADY_EXISTS);
  });

  test('Update: labels change in full and by field mask, nothing else does', async () => {
    const before = realtimeNs();
    const infos = await baseSnapshots();
    const after = realtimeNs();
    const kinds = [Kind.COMMITTED, Kind.COMMITTED, Kind.ACTIVE, Kind.ACTIVE, Kind.VIEW, Kind.VIEW];
    expect(infos.map(({ kind }) => kind)).toEqual(kinds);
    expect(infos.map(({ parent }) => parent)).toEqual(['', 'c1', 'c2', '', 'c2', '']);
    for (const info of infos) {
      const created = nanoseconds(info.created_at);
      expect(created).toBeGreaterThanOrEqual(before);
      expect(created).toBeLessThanOrEqual(after);
      expect(info.updated_at).toEqual(info.created_at);

      const labels = { ...LABELS, l1: 'v1', l2: 'v2', l3: 'v3' };
      const start = realtimeNs();
      const full = await context().client.update({ ...info, parent: 'doesnotexist', labels });
      const end = realtimeNs();
      expect(full).toMatchObject({ ...info, labels, updated_at: full.updated_at });
      expect(full.labels).toEqual(labels);
      expect(nanoseconds(full.updated_at)).toBeGreaterThanOrEqual(start);
      expect(nanoseconds(full.updated_at)).toBeLessThanOrEqual(end);

      const given = { l1: 'updated', l4: 'v4' };
      const some = await context().client.update({ ...full, labels: given }, 'labels.l1', 'labels.l2');
      expect(some.labels).toEqual({ ...LABELS, l1: 'updated', l3: 'v3' });

      const all = await context().client.update({ ...some, labels: { ...LABELS, l4: 'v4' } }, 'labels');
      expect(all.labels).toEqual({ ...LABELS, l4: 'v4' });
      expect(await context().client.stat(info.name)).toEqual(all);

      const refusal = await failureOf(context().client.update({ ...all, parent: 'doesnotexist' }, 'parent'));
      expect(refusal.code).toBe(status.INVALID_ARGUMENT);
    }
  });

  test('Remove: a key can be used again, and so can a committed name', async () => {
    await context().client.prepare('committed-a', '', LABELS);
    await context().client.commit('committed-1', 'committed-a', LABELS);
    await context().client.prepare('reuse-1', 'committed-1', LABELS);
    await context().client.remove('reuse-1');
    await context().client.view('reuse-1', 'committed-1', LABELS);
    await context().client.remove('reuse-1');
    await context().client.prepare('reuse-1', '', LABELS);
    await context().client.remove('committed-1');
    await context().client.commit('committed-1', 'reuse-1', LABELS);
    expect(await context().client.stat('committed-1')).toMatchObject({ kind: Kind.COMMITTED, parent: '' });
  });

  test('Walk: filters over kind, name, parent and labels', async () => {
    const root = { 'containerd.io/gc.root': 'check-walk' };
    await context().client.prepare('a-np', '', root);
    await context().client.prepare('p-tmp', '', root);
    await context().client.commit('p', 'p-tmp', root);
    await context().client.prepare('a', 'p', root);
    await context().client.view('v', 'p', root);
    await context().client.prepare('p-wl-tmp', '', root);
    await context().client.commit('p-wl', 'p-wl-tmp', { ...root, l: '1' });
    await context().client.prepare('a-wl', 'p-wl', { ...root, l: '2' });
    await context().client.view('v-wl', 'p-wl', { ...root, l: '3' });
    await context().client.prepare('a-np-wl', '', { ...root, l: '2' });

    const rooted = 'labels."containerd.io/gc.root"==check-walk';
    const cases: [matches: string[], ...filters: string[]][] = [
      [['a-np', 'p', 'a', 'v', 'p-wl', 'a-wl', 'v-wl', 'a-np-wl'], rooted],
      [['a-np', 'a', 'a-wl', 'a-np-wl'], `kind==active,${rooted}`],
      [['v', 'v-wl'], `kind==view,${rooted}`],
      [['p', 'p-wl'], `kind==committed,${rooted}`],
      [['p', 'a-np-wl'], 'name==p', 'name==a-np-wl'],
      [['a-wl'], 'name==a-wl,labels.l'],
      [['a', 'v'], 'parent==p'],
      [['a', 'v', 'a-wl', 'v-wl'], `parent!="",${rooted}`],
      [['p-wl', 'a-wl', 'v-wl', 'a-np-wl'], 'labels.l'],
      [['a-wl', 'a-np-wl'], 'labels.l==2'],
    ];
    for (const [matches, ...filters] of cases) {
      const names = (await context().client.list(...filters)).map((info) => info.name);
      expect({ filters, names: names.sort() }).toEqual({ filters, names: matches.sort() });
    }
  });

  test('RemoveIntermediateSnapshot: snapshots go from the top of the chain only', async () => {
    await context().layer('base', '', changes());
    await context().client.prepare('intermediate', 'base', LABELS);
    await context().client.commit('inter', 'intermediate', LABELS);
    await context().client.prepare('top', 'inter', LABELS);
    expect((await failureOf(context().client.remove('inter'))).code).toBe(status.FAILED_PRECONDITION);
    for (const key of ['top', 'inter', 'base']) await context().client.remove(key);
  });

  test('StatInWalk: Stat says the same as List, while List goes on', async () => {
    await baseSnapshots();
    const listed = await context().client.list();
    expect(listed).toHaveLength(6);
    for (const info of listed) expect(await context().client.stat(info.name)).toEqual(info);
  });

  test('CloseTwice: stopping a second time is no error', async () => {
    await context().client.prepare('twice-prepare', '', LABELS);
    await context().client.commit('twice', 'twice-prepare', LABELS);
    await context().client.remove('twice');
    await context().server.stop();
    await context().server.stop();
  });
}

function nanoseconds(time: Timestamp | null): bigint {
  if (time === null) throw new Error('no time was given');
  return BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanos);
}
