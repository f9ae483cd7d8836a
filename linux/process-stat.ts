import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { errorCode } from './errno';

/** What /proc/PID/stat tells of a process (proc_pid_stat(5), fields 3 and 22). */
function parse(text: string): { readonly dead: boolean; readonly startTime: string | undefined } {
  // The name, in parentheses, may hold anything; fields are counted from behind it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { dead: fields[0] === 'Z' || fields[0] === 'X', startTime: fields[19] };
}

/**
 * When a process started, in clock ticks since the boot: with its number this names one process, and no later one. Undefined for
 * one that has ended, be it waited for or not.
 */
export async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').then(parse, absent);
  return stat?.dead === false ? stat.startTime : undefined;
}

/**
 * Whether a process was killed or has ended, and is not gone: nobody has asked for its outcome yet, or threads of it are left that
 * cannot be interrupted. It does nothing any more. Reads synchronously, for a start.
 */
export function isDying(pid: number): boolean {
  try {
    return parse(readFileSync(`/proc/${pid}/stat`, 'latin1')).dead;
  } catch (error) {
    absent(error);
    return false;
  }
}

/** For a process that is not there. */
function absent(error: unknown): undefined {
  const code = errorCode(error);
  if (code !== 'ENOENT' && code !== 'ESRCH') throw error;
}
