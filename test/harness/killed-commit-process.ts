import { arm, disarm } from './fault-points';
import { openSnapshots, watchTransactions } from './faulty-snapshots';

/**
 * A process that commits the snapshot `key` as `done` and is killed at one point of it. Arguments: the root directory and
 * the number of the point. Ends by itself where the commit has fewer.
 */
async function commit(root: string, point: number): Promise<void> {
  const plan = process.env['ISHARE_TEST_FAULTS'] ?? '';
  watchTransactions();
  await using opened = await openSnapshots(root);
  arm(plan, { point, fault: 'kill' });
  await opened.snapshots.commit({ key: 'key', name: 'done', labels: {} });
  await opened.snapshots.cleanup();
  disarm(plan);
}

const [root = '', point = ''] = process.argv.slice(2);
void commit(root, Number(point));
