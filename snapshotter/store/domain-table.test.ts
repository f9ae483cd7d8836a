import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kind } from '../../proto/snapshots';
import type { DomainId } from './domain-table';
import { MetadataStore } from './metadata-store';

let directory: string;
let store: MetadataStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'domains-'));
  store = MetadataStore.open(join(directory, 'metadata.db'));
});

afterEach(() => {
  store[Symbol.dispose]();
  rmSync(directory, { recursive: true });
});

function run(key: string, domainId: DomainId): void {
  store.snapshots.insert({
    id: store.snapshots.reserveId(),
    key,
    parentId: undefined,
    kind: Kind.ACTIVE,
    domainId,
    domainRule: '',
    labels: {},
    nowNs: 1n,
  });
}

test('a rotated name has a fresh token and secret, and is one domain still', () => {
  const before = store.domains.ensure('team');
  const after = store.domains.rotate('team');
  expect(after.name).toBe('team');
  expect(after.id).not.toBe(before.id);
  expect(after.token).not.toBe(before.token);
  expect(after.secret.equals(before.secret)).toBe(false);
  expect(store.domains.ensure('team')).toEqual(after);
  expect(store.domains.list()).toEqual([after]);
});

test('what is in a domain that was rotated away stays in it', () => {
  const before = store.domains.ensure('team');
  run('container', before.id);
  store.domains.rotate('team');
  expect(store.domains.get(before.id)).toEqual(before);
  store.domains.forgetRetired([]);
  expect(store.domains.get(before.id)).toEqual(before);
});

test('a domain that was rotated away is forgotten once nothing runs in it', () => {
  const before = store.domains.ensure('team');
  run('container', before.id);
  const after = store.domains.rotate('team');
  store.snapshots.delete(store.snapshots.find('container')!.id);
  store.domains.forgetRetired([]);
  expect(store.domains.get(before.id)).toBeUndefined();
  expect(store.domains.get(after.id)).toEqual(after);
});
