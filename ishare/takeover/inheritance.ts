import { existsSync } from 'node:fs';
import type { Descriptor } from '../../linux/descriptor';
import { errorCode } from '../../linux/errno';
import { readMountTable } from '../../linux/mount-table';
import { endHolder, fetchFromHolder, holderLives, type HeldName, type HolderIdentity } from './holder';
import { TakeoverJournal } from './journal';
import {
  canResend,
  journalPath,
  readTakeoverState,
  TakeoverRefusedError,
  type TakeoverState,
} from './takeover-state';

/** What a daemon takes over from the one before it. The caller owns all of it. */
export interface Inheritance {
  readonly state: TakeoverState;
  readonly held: Readonly<Record<HeldName, Descriptor>>;
  readonly journal: TakeoverJournal;
}

/** What an earlier daemon left, where it is of no use. */
export type NoInheritance =
  /** There is nothing, or the holder has ended, the machine was started anew, or somebody has unmounted. */
  | 'nothing'
  /** Requests went down with the daemon that this kernel cannot be asked for again: who made them would wait for ever. */
  | 'unanswerable';

/**
 * Fetches the mounts of an earlier daemon that ended without unmounting, or resolves to the reason where there are none
 * that can be used; a holder that keeps nothing of use is ended, and with it the connections. Rejects with
 * TakeoverRefusedError where they are those of a later version, or may not be had.
 */
export async function inherit(
  directory: string,
  imagesDirectory: string,
  mountType: string,
): Promise<Inheritance | NoInheritance> {
  const state = await readTakeoverState(directory);
  if (state === undefined) return 'nothing';
  const mounted = (await readMountTable()).some(
    ({ target, type }) => target === imagesDirectory && type === mountType,
  );
  const answerable = state.answered || canResend(state);
  const inheritance = mounted && answerable ? await fetch(state, journalPath(directory)) : undefined;
  if (inheritance !== undefined) return inheritance;
  const lost = mounted && !answerable && (await holderLives(state.holder));
  await endHolder(state.holder);
  return lost ? 'unanswerable' : 'nothing';
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
