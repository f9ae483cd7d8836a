import type { BenchContext } from '../run/bench';
import { reasonOf } from '../run/reason';
import { containerSubjects, type ContainerPlace, type ContainerSubject } from './container-subject';

/** Containers of a benchmark have a containerd namespace of its own: cgroups are named after it, machine-wide. */
export const NAMESPACE = `bench-${process.pid}`;

/** Starts each subject in turn, as often as there are runs. One that fails is left out from then on, with its error noted. */
export async function containerRuns(
  context: BenchContext,
  what: string,
  wanted: (subject: ContainerSubject) => boolean,
  work: (subject: ContainerSubject, place: ContainerPlace) => Promise<void>,
): Promise<void> {
  const left = new Set(containerSubjects(context.tools).filter(wanted));
  for (let run = 1; run <= context.runs; run++) {
    for (const subject of [...left]) {
      context.signal.throwIfAborted();
      try {
        if (subject.unavailable !== undefined) throw new Error(subject.unavailable);
        context.step(`${what}: ${subject.name}, run ${run} of ${context.runs}`);
        await using place = await subject.start(context.signal);
        context.version('containerd', place.containerd.version);
        await work(subject, place);
      } catch (error) {
        context.signal.throwIfAborted();
        left.delete(subject);
        context.skip(`${subject.name}, ${what}`, reasonOf(error));
      }
    }
  }
}
