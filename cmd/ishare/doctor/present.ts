import { errorCode } from '../../../linux/errno';

const ABSENT: readonly (string | undefined)[] = ['ENOENT', 'ENOTDIR', 'ESRCH'];
const REFUSED: readonly (string | undefined)[] = ['EACCES', 'EPERM'];

/** What `look` gives, or undefined where the thing is not there, or is gone between one look and the next. */
export function ifPresent<Value>(look: Promise<Value>): Promise<Value | undefined> {
  return unless(ABSENT, look);
}

/** The same of a process in /proc: one that has more rights than this one, or another user namespace, shows nothing. */
export function ifShown<Value>(look: Promise<Value>): Promise<Value | undefined> {
  return unless([...ABSENT, ...REFUSED], look);
}

async function unless<Value>(
  codes: readonly (string | undefined)[],
  look: Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await look;
  } catch (error) {
    if (codes.includes(errorCode(error))) return undefined;
    throw error;
  }
}
