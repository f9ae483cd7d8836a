import type { MountedImages, MountSubject } from '../subject/mount-subject';
import type { BenchImage } from '../images/bench-image';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import type { BenchContext } from './bench';
import { reasonOf } from './reason';

/** Those of several subjects that can run here, prepared; the others are noted as skipped. */
export async function preparedSubjects(
  context: BenchContext,
  subjects: readonly MountSubject[],
  images: readonly BenchImage[],
): Promise<MountSubject[]> {
  const able: MountSubject[] = [];
  for (const subject of subjects) {
    context.signal.throwIfAborted();
    const why = await subject.unavailable();
    if (why !== undefined) {
      context.skip(subject.name, why);
      continue;
    }
    context.step(`${subject.name}: preparing ${images.map(({ name }) => name).join(' and ')}`);
    try {
      await subject.prepare(images);
    } catch (error) {
      context.signal.throwIfAborted();
      context.skip(subject.name, reasonOf(error));
      continue;
    }
    for (const [name, version] of Object.entries(await subject.versions())) context.version(name, version);
    able.push(subject);
  }
  return able;
}

/**
 * Mounts the images with each subject in turn, as often as there are runs (A B C A B C ...), so that what the machine
 * does besides falls on all alike. A subject that fails is left out from then on, with its error noted.
 */
export async function interleaved(
  context: BenchContext,
  subjects: readonly MountSubject[],
  images: readonly BenchImage[],
  work: (subject: MountSubject, mounted: MountedImages) => Promise<void>,
): Promise<void> {
  const failed = new Set<MountSubject>();
  for (let run = 1; run <= context.runs; run++) {
    for (const subject of subjects) {
      if (failed.has(subject)) continue;
      context.signal.throwIfAborted();
      context.step(`${subject.name}, run ${run} of ${context.runs}`);
      await using directory = await TemporaryDirectory.create('bench');
      try {
        await using mounted = await subject.mount(images, directory.path);
        await work(subject, mounted);
      } catch (error) {
        context.signal.throwIfAborted();
        failed.add(subject);
        context.skip(subject.name, reasonOf(error));
      }
    }
  }
}
