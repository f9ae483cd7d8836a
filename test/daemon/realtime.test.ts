import { readdir } from 'node:fs/promises';
import { schedulingPolicy } from '../../linux/testing/scheduling';
import { DaemonPlace } from './daemon-place';

const ROUND_ROBIN = 2;

/** Threads of a daemon with these settings that run in real time, with how many they are in all. */
async function realtimeThreads(settings: string): Promise<{ readonly ids: number[]; readonly main: number }> {
  await using place = await DaemonPlace.create(settings);
  const { pid } = await place.start();
  const threads = (await readdir(`/proc/${pid}/task`)).map(Number);
  return { ids: threads.filter((thread) => schedulingPolicy(pid, thread) === ROUND_ROBIN), main: pid };
}

test('what containers wait for runs in real time: the thread that serves them and the pool that reads for it', async () => {
  const { ids, main } = await realtimeThreads('');
  // The pool's size is set by bin/.
  expect(ids).toHaveLength(1 + 16);
  expect(ids).not.toContain(main);
});

test('nothing does where that is not wanted', async () => {
  expect((await realtimeThreads('[fuse]\nrealtime = false\n')).ids).toEqual([]);
});
