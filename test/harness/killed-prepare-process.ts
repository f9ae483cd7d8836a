import { arm, disarm } from './fault-points';
import { openSnapshots, watchTransactions } from './faulty-snapshots';

/**
 * A process that prepares the snapshot `container` on the snapshot `2`, and is killed at one point of it. Arguments: the root
 * directory and the number of the point. Ends by itself where there are fewer points.
 */
async function prepare(root: string, point: number): Promise<void> {
  const plan = process.env['ISHARE_TEST_FAULTS'] ?? '';
  watchTransactions();
  await using opened = await openSnapshots(root);
  arm(plan, { point, fault: 'kill' });
  await opened.snapshots.prepare({ key: 'container', parent: '2', labels: {} });
  disarm(plan);
}

const [root = '', point = ''] = process.argv.slice(2);
void prepare(root, Number(point));
