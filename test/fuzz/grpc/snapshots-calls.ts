import fc from 'fast-check';
import { codeName, type SnapshotsConnection } from '../../harness/snapshots-connection';
import { filterLists } from './filter-texts';
import { keys, labels, masks } from './hostile-texts';
import type { Call } from './snapshots-model';

const method = <Name extends string>(...names: Name[]): fc.Arbitrary<Name> => fc.constantFrom(...names);

/** Calls with hostile texts in every field. */
export const calls: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ method: method('prepare', 'view'), key: keys, parent: fc.constant(''), labels }),
  },
  { weight: 2, arbitrary: fc.record({ method: method('prepare', 'view'), key: keys, parent: keys, labels }) },
  {
    weight: 3,
    arbitrary: fc.record({
      method: method('commit'),
      name: keys,
      key: keys,
      parent: fc.constant(''),
      labels,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ method: method('commit'), name: keys, key: keys, parent: keys, labels }),
  },
  { weight: 3, arbitrary: fc.record({ method: method('remove', 'stat', 'mounts', 'usage'), key: keys }) },
  { weight: 3, arbitrary: fc.record({ method: method('update'), key: keys, labels, paths: masks }) },
  { weight: 2, arbitrary: fc.record({ method: method('list'), filters: filterLists }) },
  { weight: 1, arbitrary: fc.record({ method: method('cleanup') }) },
);

/** Makes a call: 'OK', or the name of the status that it fails with. */
export async function make(client: SnapshotsConnection, call: Call): Promise<string> {
  try {
    await send(client, call);
    return 'OK';
  } catch (error) {
    return codeName(error as { code: number });
  }
}

function send(client: SnapshotsConnection, call: Call): Promise<unknown> {
  switch (call.method) {
    case 'prepare':
    case 'view':
      return client[call.method](call.key, call.parent, call.labels);
    case 'commit':
      return client.commit(call.name, call.key, call.labels, call.parent);
    case 'remove':
    case 'stat':
    case 'mounts':
    case 'usage':
      return client[call.method](call.key);
    case 'update':
      return client.update({ name: call.key, labels: call.labels }, ...call.paths);
    case 'list':
      return client.list(...call.filters);
    case 'cleanup':
      return client.cleanup();
  }
}
