import { existsSync } from 'node:fs';
import type { Descriptor } from '../../linux/descriptor';
import { readMountTable } from '../../linux/mount-table';
import { endHolder, fetchFromHolder, type HeldName } from './holder';
import { TakeoverJournal } from './journal';
import { journalPath, readTakeoverState, type TakeoverState } from './takeover-state';

/** What a daemon takes over from the one before it. The caller owns all of it. */
export interface Inheritance {
  readonly state: TakeoverState;
  readonly held: Readonly<Record<HeldName, Descriptor>>;
  readonly journal: TakeoverJournal;
}

/**
 * Fetches the mounts of an earlier daemon that ended without unmounting, or resolves to undefined where there are none
 * that still work: the holder has ended, the machine was started anew, or somebody has unmounted; a holder that keeps
 * nothing of use is ended. Rejects with TakeoverRefusedError where they are those of a later version.
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
  const held = await fetchFromHolder(state.holder);
  if (held === undefined) return undefined;
  const journal = TakeoverJournal.open(journalFile);
  if (journal !== undefined) return { state, held, journal };
  for (const descriptor of Object.values(held)) descriptor[Symbol.dispose]();
  return undefined;
}
