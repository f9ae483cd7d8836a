import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * Young generation of the thread's heap (MiB): by default it grows to 48, of which nothing is given back, although requests
 * leave little behind.
 */
const YOUNG_GENERATION = 12;

/** The thread that serves /dev/fuse, not used yet. */
export interface EngineThread {
  readonly worker: Worker;
  /** Resolves when it has loaded its modules, or has failed to. */
  readonly loaded: Promise<unknown>;
}

/**
 * Starts the thread that serves /dev/fuse, which does nothing before an EngineClient has it. Loading its modules takes as long
 * as starting Node does, so a program that is in a hurry begins with it. Nothing else may be imported here.
 */
export function beginEngineThread(): EngineThread {
  const worker = new Worker(path.join(__dirname, 'engine-entry.js'), {
    name: 'fuse',
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION },
    // Descriptors are opened and closed by native calls too, which Node's own book-keeping does not see.
    trackUnmanagedFds: false,
  });
  // As long as nobody has it, it keeps no process from ending.
  worker.unref();
  // The first message says so; with an error the thread ends.
  const loaded = once(worker, 'message').catch(() => undefined);
  return { worker, loaded };
}

/**
 * For a process that is to end and has nothing for the thread to do: waits for its modules. Ending a thread that is loading a native
 * library aborts the process.
 */
export async function abandon({ worker, loaded }: EngineThread): Promise<void> {
  worker.ref();
  await loaded;
  worker.unref();
}
