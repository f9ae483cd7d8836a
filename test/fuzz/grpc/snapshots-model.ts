import { Kind, type Info, type Labels } from '../../../proto/snapshots';

/** One call of the service, as it is sent. */
export type Call =
  | {
      readonly method: 'prepare' | 'view';
      readonly key: string;
      readonly parent: string;
      readonly labels: Labels;
    }
  | {
      readonly method: 'commit';
      readonly name: string;
      readonly key: string;
      readonly parent: string;
      readonly labels: Labels;
    }
  | { readonly method: 'remove' | 'stat' | 'mounts' | 'usage'; readonly key: string }
  | {
      readonly method: 'update';
      readonly key: string;
      readonly labels: Labels;
      readonly paths: readonly string[];
    }
  | { readonly method: 'list'; readonly filters: readonly string[] }
  | { readonly method: 'cleanup' };

interface Snapshot {
  kind: number;
  parent: string;
  labels: Map<string, string>;
}

const MAX_BYTES = 4096;
const MAX_ALL_LABELS_BYTES = 1 << 20;

class Refusal extends Error {
  constructor(readonly code: string) {
    super(code);
  }
}

/** What the service does, as containerd defines it and with this program's bounds, and nothing of how it does it. */
export class SnapshotsModel {
  readonly #snapshots = new Map<string, Snapshot>();

  /** Does a call: 'OK', or the name of the status that it fails with. */
  apply(call: Call): string {
    try {
      this.#do(call);
      return 'OK';
    } catch (error) {
      if (error instanceof Refusal) return error.code;
      throw error;
    }
  }

  /** In a form that compares with shownInfo(). */
  shown(): string[] {
    return Array.from(this.#snapshots, ([name, { kind, parent, labels }]) =>
      shown(name, kind, parent, [...labels]),
    ).sort();
  }

  #do(call: Call): void {
    switch (call.method) {
      case 'prepare':
      case 'view':
        checkNames(call.key, call.parent);
        this.#create(call.method === 'view' ? Kind.VIEW : Kind.ACTIVE, call);
        return;
      case 'commit':
        checkNames(call.key, call.name, call.parent);
        this.#commit(call);
        return;
      case 'remove':
        checkNames(call.key);
        this.#find(call.key);
        if ([...this.#snapshots.values()].some(({ parent }) => parent === call.key))
          throw new Refusal('FAILED_PRECONDITION');
        this.#snapshots.delete(call.key);
        return;
      case 'mounts':
        checkNames(call.key);
        if (this.#find(call.key).kind === Kind.COMMITTED) throw new Refusal('FAILED_PRECONDITION');
        return;
      case 'stat':
      case 'usage':
        checkNames(call.key);
        this.#find(call.key);
        return;
      case 'update':
        checkNames(call.key);
        this.#update(call);
        return;
      case 'list':
      case 'cleanup':
    }
  }

  #find(key: string): Snapshot {
    const snapshot = this.#snapshots.get(key);
    if (snapshot === undefined) throw new Refusal('NOT_FOUND');
    return snapshot;
  }

  #committed(name: string): void {
    if (this.#find(name).kind !== Kind.COMMITTED) throw new Refusal('INVALID_ARGUMENT');
  }

  #create(kind: number, { key, parent, labels }: { key: string; parent: string; labels: Labels }): void {
    if (key === '') throw new Refusal('INVALID_ARGUMENT');
    const stored = storable(Object.entries(labels));
    if (parent !== '') this.#committed(parent);
    if (this.#snapshots.has(key)) throw new Refusal('ALREADY_EXISTS');
    this.#snapshots.set(key, { kind, parent, labels: stored });
  }

  #commit({ name, key, parent, labels }: Call & { method: 'commit' }): void {
    if (name === '') throw new Refusal('INVALID_ARGUMENT');
    const stored = storable(Object.entries(labels));
    const snapshot = this.#find(key);
    if (this.#snapshots.has(name)) throw new Refusal('ALREADY_EXISTS');
    if (snapshot.kind !== Kind.ACTIVE) throw new Refusal('FAILED_PRECONDITION');
    if (parent !== '' && parent !== snapshot.parent) {
      if (snapshot.parent !== '') throw new Refusal('INVALID_ARGUMENT');
      this.#committed(parent);
      snapshot.parent = parent;
    }
    this.#snapshots.delete(key);
    this.#snapshots.set(name, { kind: Kind.COMMITTED, parent: snapshot.parent, labels: stored });
  }

  #update({ key, labels, paths }: Call & { method: 'update' }): void {
    const snapshot = this.#find(key);
    const given = new Map(Object.entries(labels));
    const updated = paths.length === 0 ? new Map(given) : new Map(snapshot.labels);
    for (const path of paths) {
      if (path === 'labels') {
        updated.clear();
        for (const [label, value] of given) updated.set(label, value);
      } else if (path.startsWith('labels.')) {
        const label = path.slice('labels.'.length);
        updated.set(label, given.get(label) ?? '');
      } else {
        throw new Refusal('INVALID_ARGUMENT');
      }
    }
    snapshot.labels = storable([...updated]);
  }
}

function checkNames(...names: readonly string[]): void {
  if (names.some((name) => Buffer.byteLength(name) > MAX_BYTES)) throw new Refusal('INVALID_ARGUMENT');
}

function storable(labels: readonly (readonly [string, string])[]): Map<string, string> {
  const sizes = labels.map(([key, value]) => Buffer.byteLength(key) + Buffer.byteLength(value));
  if (sizes.some((size) => size > MAX_BYTES)) throw new Refusal('INVALID_ARGUMENT');
  const all = labels.reduce((sum, [, value], index) => sum + (value === '' ? 0 : (sizes[index] ?? 0)), 0);
  if (all > MAX_ALL_LABELS_BYTES) throw new Refusal('INVALID_ARGUMENT');
  return new Map(labels.filter(([, value]) => value !== ''));
}

/** What List tells of a snapshot, but for its times. */
export function shownInfo({ name, kind, parent, labels }: Info): string {
  return shown(name, kind, parent, Object.entries(labels));
}

function shown(name: string, kind: number, parent: string, labels: (readonly [string, string])[]): string {
  return JSON.stringify([name, kind, parent, labels.sort(([a], [b]) => (a < b ? -1 : 1))]);
}
