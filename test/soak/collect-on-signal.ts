import { appendFileSync } from 'node:fs';
import { getHeapCodeStatistics, setFlagsFromString } from 'node:v8';
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

interface Heap {
  readonly objects: number;
  /** What V8 has made of functions and knows of them: it grows as they become hot, up to what the program is. */
  readonly code: number;
}

function collect(): Heap {
  // Finalizers that one collection runs may make more garbage.
  collectGarbage();
  collectGarbage();
  const { code_and_metadata_size, bytecode_and_metadata_size } = getHeapCodeStatistics();
  const code = code_and_metadata_size + bytecode_and_metadata_size;
  return { objects: process.memoryUsage().heapUsed - code, code };
}

function tell(round: number, { objects, code }: Heap, allocated: number): void {
  if (file !== undefined) appendFileSync(file, `${round} ${threadId} ${objects} ${code} ${allocated}\n`);
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
  const heap = collect();
  // Not in other threads: what koffi makes for each of them would be a leak that the daemon itself does not have.
  const [{ returnFreeMemory }, { allocatedBytes }] = await Promise.all([
    import('../../linux/free-memory.js'),
    import('../../linux/testing/malloc-usage.js'),
  ]);
  // What other threads had to free was freed in the pass before.
  returnFreeMemory();
  tell(round, heap, allocatedBytes());
}
