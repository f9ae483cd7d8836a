import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collector = (options?: { readonly type: 'minor' }) => void;

let collector: Collector | undefined;

/** V8 shows it to new contexts alone, once it was told to. */
function garbageCollector(): Collector {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as Collector;
}

/**
 * Frees what nothing refers to any more. V8 waits until its heap has grown, which says nothing of the buffers that stand in it
 * for memory elsewhere. Takes as many milliseconds as there are MB in use, of this thread alone.
 */
export function collectGarbage(): void {
  collector ??= garbageCollector();
  collector();
}

/** The same of what has come into being lately, in less than a millisecond. */
export function collectYoungGarbage(): void {
  collector ??= garbageCollector();
  collector({ type: 'minor' });
}
