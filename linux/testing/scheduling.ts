import { readFileSync } from 'node:fs';

/** The policy that a thread is scheduled by: SCHED_OTHER is 0, SCHED_RR is 2 (proc_pid_stat(5), field 41). */
export function schedulingPolicy(process: number, thread: number): number {
  const stat = readFileSync(`/proc/${process}/task/${thread}/stat`, 'latin1');
  // The name in field 2 may hold anything, parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[41 - 3]);
}
