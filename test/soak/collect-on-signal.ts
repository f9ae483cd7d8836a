import { appendFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';
import { returnFreeMemory } from '../../linux/free-memory';
import { allocatedBytes } from '../../linux/testing/malloc-usage';
import { HEAP_FILE } from './collected-memory';

/**
 * Loaded into the daemon beside its own code: at SIGUSR2 all its threads collect their garbage and write down what
 * stays, a line each. Without this nobody could tell a heap that V8 has let grow from one that something fills.
 */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const file = process.env[HEAP_FILE];
const channel = new BroadcastChannel('soak');

function collect(round: number): void {
  // Finalizers that one collection runs may make more garbage.
  collectGarbage();
  collectGarbage();
  const { heapUsed } = process.memoryUsage();
  // What the other threads had to free was freed in the pass before.
  if (isMainThread) returnFreeMemory();
  // The heaps are a thread's own; what the C library has given out belongs to all.
  const allocated = isMainThread ? allocatedBytes() : 0;
  if (file !== undefined) appendFileSync(file, `${round} ${threadId} ${heapUsed} ${allocated}\n`);
}

let rounds = 0;
channel.onmessage = (event) => collect((event as { data: number }).data);
// It keeps no thread alive.
channel.unref();
if (isMainThread) {
  process.on('SIGUSR2', () => {
    rounds += 1;
    channel.postMessage(rounds);
    collect(rounds);
  });
}
