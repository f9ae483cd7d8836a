import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import { HEAP_FILE } from './collected-memory';

/**
 * Loaded into the daemon beside its own code: at SIGUSR2 all its threads collect their garbage and write down what
 * stays, a line each. Without this nobody could tell a heap that V8 has let grow from one that something fills.
 */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const file = process.env[HEAP_FILE];
const channel = new BroadcastChannel('soak');

function collect(): number {
  // Finalizers that one collection runs may make more garbage.
  collectGarbage();
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

function tell(round: number, heapUsed: number, allocated: number): void {
  if (file !== undefined) appendFileSync(file, `${round} ${threadId} ${heapUsed} ${allocated}\n`);
}

let rounds = 0;
channel.onmessage = (event) => tell((event as { data: number }).data, collect(), 0);
// It keeps no thread alive.
channel.unref();
if (isMainThread) {
  process.on('SIGUSR2', () => {
    rounds += 1;
    channel.postMessage(rounds);
    void collectForAll(rounds);
  });
}

/** The heaps are a thread's own; what the C library has given out belongs to all. */
async function collectForAll(round: number): Promise<void> {
  const heapUsed = collect();
  // Not in other threads: what koffi makes for each of them would be a leak that the daemon itself does not have.
  const [{ returnFreeMemory }, { allocatedBytes }] = await Promise.all([
    import('../../linux/free-memory.js'),
    import('../../linux/testing/malloc-usage.js'),
  ]);
  // What other threads had to free was freed in the pass before.
  returnFreeMemory();
  tell(round, heapUsed, allocatedBytes());
}
