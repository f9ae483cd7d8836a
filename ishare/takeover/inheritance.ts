import { existsSync } from 'node:fs';
import type { Descriptor } from '../../linux/descriptor';
import { errorCode } from '../../linux/errno';
import { readMountTable } from '../../linux/mount-table';
import { endHolder, fetchFromHolder, type HeldName, type HolderIdentity } from './holder';
import { TakeoverJournal } from './journal';
import { journalPath, readTakeoverState, TakeoverRefusedError, type TakeoverState } from './takeover-state';

/** What a daemon takes over from the one before it. The caller owns all of it. */
export interface Inheritance {
  readonly state: TakeoverState;
  readonly held: Readonly<Record<HeldName, Descriptor>>;
  readonly journal: TakeoverJournal;
}

/**
 * Fetches the mounts of an earlier daemon that ended without unmounting, or resolves to undefined where there are none
 * that still work: the holder has ended, the machine was started anew, or somebody has unmounted; a holder that keeps
 * nothing of use is ended. Rejects with TakeoverRefusedError where they are those of a later version, or may not be had.
 */
export async function inherit(
  directory: string,
  imagesDirectory: string,
  mountType: string,
): Promise<Inheritance | undefined> {
  const state = await readTakeoverState(directory);
  if (state === undefined) return undefined;
  const mounted = (await readMountTable()).some(
    ({ target, type }) => target === imagesDirectory && type === mountType,
  );
  const inheritance = mounted ? await fetch(state, journalPath(directory)) : undefined;
  if (inheritance === undefined) await endHolder(state.holder);
  return inheritance;
}

async function fetch(state: TakeoverState, journalFile: string): Promise<Inheritance | undefined> {
  if (!existsSync(journalFile)) return undefined;
  const held = await fetchWhereAllowed(state.holder);
  if (held === undefined) return undefined;
  const journal = TakeoverJournal.open(journalFile);
  if (journal !== undefined) return { state, held, journal };
  for (const descriptor of Object.values(held)) descriptor[Symbol.dispose]();
  return undefined;
}

async function fetchWhereAllowed(holder: HolderIdentity): ReturnType<typeof fetchFromHolder> {
  try {
    return await fetchFromHolder(holder);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') throw error;
    throw new TakeoverRefusedError(
      `process ${holder.pid} keeps the mounts of the daemon before this one, which may not copy its descriptors: ` +
        'CAP_SYS_PTRACE is missing, or kernel.yama.ptrace_scope is 3',
      { cause: error },
    );
  }
}
