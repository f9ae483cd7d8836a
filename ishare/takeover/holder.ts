import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Descriptor } from '../../linux/descriptor';
import { errorCode } from '../../linux/errno';
import { copyDescriptor, openProcess } from '../../linux/pidfd';
import { startTimeOf } from '../../linux/process-stat';

/** What a holder keeps, by name: the number is that of the descriptor in the holder. */
export const HELD = { imagesDevice: 3, ishareDevice: 4, ishareMount: 5 } as const;
export type HeldName = keyof typeof HELD;

/** A process that may be looked for later: a number alone may be another's by then. */
export interface HolderIdentity {
  readonly pid: number;
  /** When it started, in clock ticks since the boot (field 22 of /proc/PID/stat). */
  readonly startTime: string;
}

/**
 * Starts a process that does nothing but keep descriptors open. With them both connections outlive the daemon: clients
 * wait, instead of failing, until the next daemon has fetched the descriptors. It is a session of its own, so that signals
 * meant for the daemon's terminal or process group do not reach it.
 */
export async function startHolder(held: Readonly<Record<HeldName, number>>): Promise<HolderIdentity> {
  const child = spawn('sleep', ['infinity'], {
    argv0: 'ishare-holder',
    cwd: '/',
    detached: true,
    env: {},
    stdio: ['ignore', 'ignore', 'ignore', held.imagesDevice, held.ishareDevice, held.ishareMount],
  });
  await once(child, 'spawn');
  // Nobody waits for it here: the next daemon, which is not its parent, could not either.
  child.unref();
  const { pid } = child;
  const startTime = pid === undefined ? undefined : await startTimeOf(pid);
  if (pid === undefined || startTime === undefined) throw new Error('the holder has ended at once');
  return { pid, startTime };
}

/** Copies of what a holder keeps, or undefined where it has ended. They belong to the caller. */
export async function fetchFromHolder({
  pid,
  startTime,
}: HolderIdentity): Promise<Record<HeldName, Descriptor> | undefined> {
  using holder = openIfAlive(pid);
  // Asked once the descriptor is there: from then on the number means this process, or one that has ended.
  if (holder === undefined || (await startTimeOf(pid)) !== startTime) return undefined;
  const copied: Descriptor[] = [];
  try {
    const copy = (name: HeldName): Descriptor => {
      const descriptor = copyDescriptor(holder, HELD[name]);
      copied.push(descriptor);
      return descriptor;
    };
    return {
      imagesDevice: copy('imagesDevice'),
      ishareDevice: copy('ishareDevice'),
      ishareMount: copy('ishareMount'),
    };
  } catch (error) {
    for (const descriptor of copied) descriptor[Symbol.dispose]();
    if (errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** Ends a holder. One that has ended already is nobody's concern. */
export async function endHolder({ pid, startTime }: HolderIdentity): Promise<void> {
  if ((await startTimeOf(pid)) !== startTime) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
}

/** Whether it is still there. */
export async function holderLives({ pid, startTime }: HolderIdentity): Promise<boolean> {
  return (await startTimeOf(pid)) === startTime;
}

function openIfAlive(pid: number): Descriptor | undefined {
  try {
    return openProcess(pid);
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
