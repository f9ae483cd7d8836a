import { readFile } from 'node:fs/promises';

/** The file mode creation mask of this process (proc_pid_status(5), Linux 4.7). umask(2) cannot tell without setting it. */
export async function fileCreationMask(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8');
  const digits = /^Umask:\s*([0-7]+)$/m.exec(status)?.[1];
  if (digits === undefined) throw new Error('/proc/self/status has no line "Umask"');
  return parseInt(digits, 8);
}
