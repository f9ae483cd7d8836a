import type { Timestamp } from '../tree';
import { BadFieldError, shown } from './number';

const NS_PER_SECOND = 1_000_000_000;

/** A time of a PAX record: seconds since 1970 with a sign and a fraction, of which nine digits count. */
export function decodePaxTime(bytes: Buffer): Timestamp {
  const text = bytes.toString('latin1');
  const match = /^(-?)([0-9]{1,20})(?:\.([0-9]*))?$/.exec(text);
  const seconds = Number(match?.[2]);
  if (match === null || !Number.isSafeInteger(seconds)) throw new BadFieldError(`${shown(text)} is no time`);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds, nanoseconds };
  // Nanoseconds count forward from the second, also before 1970. Adding 0 turns -0 into 0.
  return nanoseconds === 0
    ? { seconds: -seconds + 0, nanoseconds: 0 }
    : { seconds: -seconds - 1, nanoseconds: NS_PER_SECOND - nanoseconds };
}
