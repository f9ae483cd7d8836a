import path from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * Young generation of the thread's heap (MiB): by default it grows to 48, of which nothing is given back, although requests
 * leave little behind.
 */
const YOUNG_GENERATION = 12;

/**
 * Starts the thread that serves /dev/fuse, which does nothing before an EngineClient has it. Loading its modules takes as long
 * as starting Node does, so a program that is in a hurry begins with it. Nothing else may be imported here.
 */
export function beginEngineThread(): Worker {
  const worker = new Worker(path.join(__dirname, 'entry.js'), {
    name: 'fuse',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
    // Descriptors are opened and closed by native calls too, which Node's own book-keeping does not see.
    trackUnmanagedFds: false,
  });
  // As long as nobody has it, it keeps no process from ending.
  worker.unref();
  return worker;
}
