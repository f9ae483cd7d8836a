import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Descriptor } from '../../../linux/descriptor';
import { tryLockFile } from '../../../linux/file-lock';
import { LOCK_FILE } from '../../daemon/private-directory';
import { LeftAloneError, type Finding } from './finding';
import type { Place } from './place';

/** What became of a problem. */
export interface Treatment {
  readonly finding: Finding;
  readonly outcome: 'repaired' | 'left alone' | 'failed';
  /** Why it is not repaired, or "". */
  readonly reason: string;
}

/**
 * Makes the repairs, one after the other. Where no daemon runs, its locks are held meanwhile: none may start while things
 * are removed that it would take for its own.
 */
export async function treat(
  place: Place,
  findings: readonly Finding[],
  daemonRuns: boolean,
): Promise<Treatment[]> {
  const problems = findings.filter(({ level }) => level === 'problem');
  const locks = daemonRuns ? [] : lockDirectories(place);
  if (locks === undefined) {
    const reason = 'a daemon has started meanwhile: look again';
    return problems.map((finding) => ({ finding, outcome: 'left alone', reason }));
  }
  try {
    const treatments: Treatment[] = [];
    for (const finding of problems) treatments.push(await treatOne(finding));
    return treatments;
  } finally {
    for (const lock of locks) lock[Symbol.dispose]();
  }
}

async function treatOne(finding: Finding): Promise<Treatment> {
  const { repair, remedy } = finding;
  if (repair === undefined) return { finding, outcome: 'left alone', reason: remedy };
  try {
    await repair();
    return { finding, outcome: 'repaired', reason: '' };
  } catch (error) {
    const outcome = error instanceof LeftAloneError ? 'left alone' : 'failed';
    return { finding, outcome, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Undefined where a daemon has one of them. */
function lockDirectories({ paths, state }: Place): Descriptor[] | undefined {
  const locks: Descriptor[] = [];
  for (const directory of [paths.root, state]) {
    const file = path.join(directory, LOCK_FILE);
    // A directory without one is none that a daemon has used, and must not come to look like one.
    if (!existsSync(file)) continue;
    const lock = tryLockFile(file);
    if (lock === undefined) {
      for (const taken of locks) taken[Symbol.dispose]();
      return undefined;
    }
    locks.push(lock);
  }
  return locks;
}
