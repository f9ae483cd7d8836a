import { arm, disarm } from './fault-points';
import { openSnapshots, watchTransactions } from './faulty-snapshots';
import { unpackRequest, type LayerFile } from './layer-file';
import { trashEmptied } from './snapshots-invariants';

/**
 * A process that commits the snapshot `key` as `done` and is killed at one point of it. Arguments: the root directory, the
 * number of the point and, where a layer is to be unpacked first, JSON of a LayerFile. Ends by itself where there are fewer
 * points.
 */
async function commit(root: string, point: number, layer: LayerFile | undefined): Promise<void> {
  const plan = process.env['ISHARE_TEST_FAULTS'] ?? '';
  watchTransactions();
  await using opened = await openSnapshots(root);
  const mounts = await opened.snapshots.mounts('key');
  arm(plan, { point, fault: 'kill' });
  if (layer !== undefined) await opened.snapshots.unpack(unpackRequest(layer, mounts));
  await opened.snapshots.commit({ key: 'key', name: 'done', labels: {} });
  await opened.snapshots.cleanup();
  await trashEmptied(opened.paths);
  disarm(plan);
}

const [root = '', point = '', layer] = process.argv.slice(2);
void commit(root, Number(point), layer === undefined ? undefined : (JSON.parse(layer) as LayerFile));
