import { rmSync } from 'node:fs';
import path from 'node:path';
import {
  temporaryImageName,
  type BuildOptions,
  type BuildProgress,
  type BuildResult,
} from '../../../erofs/build';
import { ImageBuilder } from '../../../erofs/build-worker';
import { SignalQueue, type EndSignal } from './signal-queue';

/** What to build, as the command line has it. */
export type BuildOrder = Pick<
  BuildOptions,
  'source' | 'target' | 'fingerprintXattr' | 'compression' | 'threads'
>;

/** Somebody asked the program to end. Nothing is left of the image. */
export class BuildInterruptedError extends Error {
  override readonly name = 'BuildInterruptedError';

  constructor(readonly by: EndSignal) {
    super(`interrupted by ${by}`);
  }
}

/**
 * Builds an image in a worker thread, so that this one hears of signals. The first signal calls the build off, and this
 * throws BuildInterruptedError once nothing is left of it. A second one, while the build does not react, ends the process
 * at once; the unfinished image goes then too.
 */
export async function runBuild(
  order: BuildOrder,
  onProgress: (progress: BuildProgress) => void,
): Promise<BuildResult> {
  using signals = new SignalQueue();
  await using builder = new ImageBuilder({ concurrency: 1 });
  const controller = new AbortController();
  const temporary = temporaryImageName(order.target);
  const building = builder.build({ ...order, temporary, signal: controller.signal, onProgress });
  const first = await Promise.race([building, signals.next]);
  if (typeof first !== 'string') return first;
  controller.abort(new BuildInterruptedError(first));
  signals.take();
  // It may have come too late: then the image is there, whole.
  const last = await Promise.race([building, signals.next]);
  if (typeof last !== 'string') return last;
  rmSync(path.join(path.dirname(order.target), temporary), { force: true });
  signals[Symbol.dispose]();
  // Without a listener it has its ordinary effect, whatever threads are waiting for.
  process.kill(process.pid, last);
  return await building;
}
