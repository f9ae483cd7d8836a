import { join } from 'node:path';
import { NAMESPACE } from './container-runs';
import type { ContainerPlace } from './container-subject';

/** Seconds from the call of `ctr run` to the moment at which `date` in the container looks at the clock. */
export async function firstOutput(
  { containerd, snapshotter }: ContainerPlace,
  reference: string,
  id: string,
  signal: AbortSignal,
): Promise<number> {
  const flags = ['--rm', '--snapshotter', snapshotter, '--runc-root', join(containerd.directory, 'runc')];
  const start = Date.now();
  const words = ['run', ...flags, reference, id, '/bin/date', '+%s.%N'];
  const output = await containerd.ctr(words, { namespace: NAMESPACE, signal });
  return Number(output.trim()) - start / 1000;
}
