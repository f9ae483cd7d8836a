import { check, native } from './libc';

/** SCHED_RR: before all ordinary threads, and in turns with its like (include/uapi/linux/sched.h). */
const ROUND_ROBIN = 2;
/** What the thread starts runs as ordinary threads do. */
const RESET_ON_FORK = 0x4000_0000;
/** The least of the priorities of real-time threads (sched_get_priority_min(2)). */
const PRIORITY = 1;

/** The thread that calls. */
export const THIS_THREAD = 0;

/**
 * Lets a thread run as soon as it has something to do, whatever ordinary threads of this and other processes do. It is for
 * threads that others wait for and that never work for long: the kernel leaves ordinary threads a twentieth of each processor
 * (sched_rt_runtime_us). Throws SystemCallError with EPERM where CAP_SYS_NICE is missing, or where the control group has
 * no share of real time (CONFIG_RT_GROUP_SCHED), and with ESRCH where the thread has ended.
 */
export function makeRealtime(thread: number): void {
  const parameters = Buffer.alloc(4);
  parameters.writeInt32LE(PRIORITY);
  const result = native.schedSetscheduler(thread, ROUND_ROBIN | RESET_ON_FORK, parameters);
  check(result, 'sched_setscheduler', `thread ${thread}`);
}
