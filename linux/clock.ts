import koffi from 'koffi';
import { check } from './libc';

const libc = koffi.load('libc.so.6');
const clockGettime = libc.func('int clock_gettime(int clock, _Out_ void *time)') as unknown as (
  clock: number,
  time: Buffer,
) => number;

const CLOCK_REALTIME = 0;

/** Nanoseconds since 1970, as every other process reads them (Date.now() has milliseconds). clock_gettime(2). */
export function realtimeNs(): bigint {
  const time = Buffer.alloc(16);
  check(clockGettime(CLOCK_REALTIME, time), 'clock_gettime', 'CLOCK_REALTIME');
  return time.readBigInt64LE(0) * 1_000_000_000n + time.readBigInt64LE(8);
}
