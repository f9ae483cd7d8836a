import { setImmediate as nextTurn } from 'node:timers/promises';
import { StartRecovery } from './start-recovery';
import type { Snapshot, SnapshotId } from './store/snapshot-table';

const snapshots = Array.from({ length: 100 }, (_, index) => ({ id: index as SnapshotId }) as Snapshot);

/** Work that goes on until it is told to end. */
function held() {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const work = ({ id }: Snapshot): Promise<void> => {
    begun.push(id);
    return new Promise((resolve) => ends.push(resolve));
  };
  const end = async (): Promise<void> => {
    for (let next = ends.shift(); next !== undefined; next = ends.shift()) {
      next();
      await nextTurn();
    }
  };
  return { begun, work, end };
}

test('the work for each snapshot is done once, several at a time', async () => {
  const { begun, work, end } = held();
  const all = new StartRecovery(snapshots, work).all();
  await nextTurn();
  expect(begun).toHaveLength(16);
  await end();
  await all;
  expect([...begun].sort((a, b) => a - b)).toEqual(snapshots.map(({ id }) => id));
});

test('a snapshot that somebody asks for comes at once, and not a second time', async () => {
  const { begun, work, end } = held();
  const recovery = new StartRecovery(snapshots, work);
  const all = recovery.all();
  await nextTurn();
  let done = false;
  const asked = recovery.of(99 as SnapshotId).then(() => (done = true));
  await nextTurn();
  expect(begun).toContain(99);
  expect(done).toBe(false);
  await end();
  await Promise.all([asked, all]);
  expect(begun.filter((id) => id === 99)).toHaveLength(1);
});

test('whoever asks for a snapshot that is being worked on waits for that', async () => {
  const { begun, work, end } = held();
  const recovery = new StartRecovery(snapshots, work);
  const all = recovery.all();
  await nextTurn();
  const asked = recovery.of(begun[0] as SnapshotId);
  await end();
  await Promise.all([asked, all]);
  expect(begun).toHaveLength(100);
});

test('a snapshot that was made after the start has nothing to wait for', async () => {
  const { work } = held();
  await new StartRecovery(snapshots, work).of(1000 as SnapshotId);
});
