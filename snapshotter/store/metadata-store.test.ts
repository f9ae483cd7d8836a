import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import fc from 'fast-check';
import { Kind } from '../../proto/snapshots';
import { FailedPreconditionError, ResourceExhaustedError } from '../errors';
import { FIRST_INO, INO_LIMIT, LAST_NODE_RANGE } from './attachment-table';
import { NO_DOMAIN, type DomainId } from './domain-table';
import { MetadataStore } from './metadata-store';
import type { SnapshotId } from './snapshot-table';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ishare-store-'));
  path = join(directory, 'metadata.db');
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

let clock = 1_700_000_000_123_456_789n;

function addActive(store: MetadataStore, key: string, parentId?: SnapshotId): SnapshotId {
  const id = store.snapshots.reserveId();
  clock += 1n;
  store.snapshots.insert({
    id,
    key,
    parentId,
    kind: Kind.ACTIVE,
    domainId: NO_DOMAIN,
    domainRule: '',
    labels: {},
    nowNs: clock,
  });
  return id;
}

function addCommitted(store: MetadataStore, name: string, parentId?: SnapshotId, nidLimit = 100): SnapshotId {
  const id = addActive(store, `${name}-key`, parentId);
  const usage = { bytes: 8192, inodes: 3 };
  store.snapshots.commit(id, {
    name,
    parentId,
    labels: {},
    usage,
    nidLimit,
    trust: 'computed',
    digestsRoot: undefined,
    nowNs: clock,
  });
  return id;
}

describe('the database file', () => {
  test('is for its owner alone, and so are its journals', () => {
    using store = MetadataStore.open(path);
    store.transaction(() => addActive(store, 'a'));
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('keeps what was stored', () => {
    {
      using store = MetadataStore.open(path);
      store.transaction(() => addCommitted(store, 'base'));
    }
    using store = MetadataStore.open(path);
    expect(store.snapshots.find('base')).toMatchObject({ kind: Kind.COMMITTED, nidLimit: 100 });
  });

  test('of a later version is refused with both versions named, and left alone', () => {
    MetadataStore.open(path)[Symbol.dispose]();
    const sqlite = new SqliteDatabase(path);
    sqlite.pragma('user_version = 99');
    sqlite.close();
    expect(() => MetadataStore.open(path)).toThrow(FailedPreconditionError);
    expect(() => MetadataStore.open(path)).toThrow(/version 99.*up to 4/);
    const after = new SqliteDatabase(path);
    expect(after.pragma('user_version', { simple: true })).toBe(99);
    after.close();
  });

  test('a transaction that throws leaves nothing', () => {
    using store = MetadataStore.open(path);
    expect(() =>
      store.transaction(() => {
        addActive(store, 'a');
        store.domains.ensure('team');
        throw new Error('on purpose');
      }),
    ).toThrow('on purpose');
    expect(store.snapshots.find('a')).toBeUndefined();
    expect(store.domains.list()).toEqual([]);
  });
});

describe('snapshots', () => {
  test('keep times to the nanosecond, labels, and the name of the parent', () => {
    using store = MetadataStore.open(path);
    const base = addCommitted(store, 'base');
    const id = store.snapshots.reserveId();
    const labels = { 'containerd.io/x': 'ü "quoted"', __proto__x: 'y' };
    const nowNs = 1_763_860_000_999_999_999n;
    store.snapshots.insert({
      id,
      key: 'k',
      parentId: base,
      kind: Kind.VIEW,
      domainId: NO_DOMAIN,
      domainRule: '',
      labels,
      nowNs,
    });
    expect(store.snapshots.find('k')).toEqual({
      id,
      name: 'k',
      parent: 'base',
      parentId: base,
      kind: Kind.VIEW,
      domainId: NO_DOMAIN,
      domainRule: '',
      lower: 'layers',
      createdNs: nowNs,
      updatedNs: nowNs,
      labels,
      usage: { bytes: 0, inodes: 0 },
      nidLimit: 0,
      trust: 'computed',
      trustReason: '',
      damage: '',
      digestsRoot: undefined,
    });
  });

  test('a chain is listed from the snapshot down to its base', () => {
    using store = MetadataStore.open(path);
    let parent: SnapshotId | undefined;
    for (let index = 0; index < 128; index++) parent = addCommitted(store, `layer-${index}`, parent);
    addCommitted(store, 'other');
    expect(store.snapshots.chain(parent!).map(({ name }) => name)).toEqual(
      Array.from({ length: 128 }, (_, index) => `layer-${127 - index}`),
    );
  });

  test('a parent cannot be deleted before its children', () => {
    using store = MetadataStore.open(path);
    const base = addCommitted(store, 'base');
    const child = addActive(store, 'child', base);
    expect(store.snapshots.hasChildren(base)).toBe(true);
    expect(() => store.snapshots.delete(base)).toThrow(/FOREIGN KEY/);
    store.snapshots.delete(child);
    expect(store.snapshots.hasChildren(base)).toBe(false);
    store.snapshots.delete(base);
  });

  test('a number is never given twice, not even after a restart', () => {
    let last: SnapshotId;
    {
      using store = MetadataStore.open(path);
      addActive(store, 'a');
      last = addActive(store, 'b');
      store.snapshots.delete(last);
    }
    using store = MetadataStore.open(path);
    expect(store.snapshots.reserveId()).toBeGreaterThan(last);
  });

  test('all() sees every snapshot once, though the table changes meanwhile', () => {
    using store = MetadataStore.open(path);
    for (let index = 0; index < 25; index++) addActive(store, `s${index}`);
    const names: string[] = [];
    for (const { id, name } of store.snapshots.all(4)) {
      names.push(name);
      if (names.length % 3 === 0) store.snapshots.delete(id);
    }
    expect(names).toEqual(Array.from({ length: 25 }, (_, index) => `s${index}`));
  });
});

describe('domains', () => {
  test('have a lasting secret and a public token that are both random', () => {
    let first: { token: string; secret: Buffer };
    {
      using store = MetadataStore.open(path);
      first = store.domains.ensure('team');
      expect(store.domains.ensure('team')).toEqual(first);
      expect(first.token).toMatch(/^[0-9a-f]{32}$/);
      expect(first.secret).toHaveLength(32);
      const other = store.domains.ensure('other');
      expect(other.token).not.toBe(first.token);
      expect(other.secret.equals(first.secret)).toBe(false);
      expect(first.secret.toString('hex')).not.toContain(first.token);
    }
    using store = MetadataStore.open(path);
    expect(store.domains.find('team')).toEqual(first);
    expect(store.domains.get(1 as DomainId)).toEqual(first);
    expect(store.domains.list().map(({ name }) => name)).toEqual(['team', 'other']);
  });

  test('are never number 0, which stands for none', () => {
    using store = MetadataStore.open(path);
    expect(store.domains.ensure('team').id).toBeGreaterThan(NO_DOMAIN);
    expect(store.domains.get(NO_DOMAIN)).toBeUndefined();
  });
});

describe('attachments', () => {
  test('are stable for one pair, and different for every domain', () => {
    using store = MetadataStore.open(path);
    const base = addCommitted(store, 'base');
    const team = store.domains.ensure('team').id;
    const unshared = store.attachments.ensure(base, NO_DOMAIN, 100);
    const shared = store.attachments.ensure(base, team, 100);
    expect(shared.id).not.toBe(unshared.id);
    expect(store.attachments.ensure(base, NO_DOMAIN, 100)).toEqual(unshared);
    expect(store.attachments.ofSnapshot(base)).toEqual([unshared, shared]);
    expect(unshared.inoBase).toBe(FIRST_INO);
    expect(shared.inoBase).toBe(FIRST_INO + 100);
  });

  test('go with their snapshot, and their numbers are used again but their ids are not', () => {
    using store = MetadataStore.open(path);
    const first = addCommitted(store, 'first');
    const second = addCommitted(store, 'second');
    const gone = store.attachments.ensure(first, NO_DOMAIN, 50);
    store.attachments.ensure(second, NO_DOMAIN, 50);
    store.snapshots.delete(first);
    expect(store.attachments.ofSnapshot(first)).toEqual([]);
    const third = addCommitted(store, 'third');
    const wide = store.attachments.ensure(third, NO_DOMAIN, 51);
    expect(wide.inoBase).toBe(FIRST_INO + 100);
    const fourth = addCommitted(store, 'fourth');
    const fitting = store.attachments.ensure(fourth, NO_DOMAIN, 50);
    expect(fitting.inoBase).toBe(gone.inoBase);
    expect(fitting.id).toBeGreaterThan(wide.id);
  });

  test('never overlap, take the lowest gap, and stay the same, whatever comes and goes', () => {
    using store = MetadataStore.open(path);
    const size = fc.integer({ min: 1, max: 40 });
    const step = fc.oneof(fc.record({ add: size }), fc.record({ remove: fc.nat() }));
    let serial = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const live: { id: SnapshotId; inoBase: number; inoCount: number }[] = [];
        for (const action of steps) {
          if ('add' in action) {
            serial += 1;
            const id = addCommitted(store, `s${serial}`, undefined, action.add);
            const { inoBase, inoCount } = store.attachments.ensure(id, NO_DOMAIN, action.add);
            expect(inoCount).toBe(action.add);
            expect(inoBase).toBe(lowestGap(live, action.add));
            live.push({ id, inoBase, inoCount });
          } else if (live.length > 0) {
            const [gone] = live.splice(action.remove % live.length, 1);
            store.snapshots.delete(gone!.id);
          }
          for (const { id, inoBase } of live)
            expect(store.attachments.find(id, NO_DOMAIN)?.inoBase).toBe(inoBase);
        }
        for (const { id } of live) store.snapshots.delete(id);
      }),
      { numRuns: 25 },
    );
  });

  test('take ranges of node ids in turn, past those that are still in use', () => {
    using store = MetadataStore.open(path);
    const rangeOf = (name: string): number =>
      store.attachments.ensure(addCommitted(store, name), NO_DOMAIN, 1).nodeRange;
    expect([rangeOf('first'), rangeOf('second')]).toEqual([1, 2]);
    const sqlite = new SqliteDatabase(path);
    sqlite.exec(`UPDATE sqlite_sequence SET seq = ${LAST_NODE_RANGE - 1} WHERE name = 'attachments'`);
    sqlite.close();
    expect([rangeOf('last'), rangeOf('again')]).toEqual([LAST_NODE_RANGE, 3]);
    store.snapshots.delete(store.snapshots.find('first')!.id);
    expect(rangeOf('next')).toBe(4);
  });

  test('end at 2^48', () => {
    using store = MetadataStore.open(path);
    const huge = addCommitted(store, 'huge');
    const small = addCommitted(store, 'small');
    store.attachments.ensure(huge, NO_DOMAIN, INO_LIMIT - FIRST_INO - 5);
    expect(() => store.attachments.ensure(small, NO_DOMAIN, 6)).toThrow(ResourceExhaustedError);
    expect(store.attachments.ensure(small, NO_DOMAIN, 5).inoBase).toBe(INO_LIMIT - 5);
  });
});

/** The first number from FIRST_INO on at which `count` free ones begin, found by trying. */
function lowestGap(live: readonly { inoBase: number; inoCount: number }[], count: number): number {
  const collides = (start: number): boolean =>
    live.some(({ inoBase, inoCount }) => start < inoBase + inoCount && inoBase < start + count);
  let start = FIRST_INO;
  while (collides(start)) start += 1;
  return start;
}
