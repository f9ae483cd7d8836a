import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** One process as /proc shows it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly commandLine: readonly string[];
}

/** Every process of this pid namespace except zombies. One that ends while the table is read is left out. */
export async function readProcessTable(): Promise<ProcessEntry[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const entries = await Promise.all(names.map(async (name) => readProcess(Number(name))));
  return entries.filter((entry) => entry !== undefined);
}

async function readProcess(pid: number): Promise<ProcessEntry | undefined> {
  try {
    const [stat, commandLine] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cmdline`, 'utf8'),
    ]);
    // proc(5): the name in parentheses may hold spaces and parentheses itself, so fields are counted from the last one.
    const [state = '', parentPid = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return undefined;
    return { pid, parentPid: Number(parentPid), commandLine: commandLine.split('\0').slice(0, -1) };
  } catch {
    // The process ended between readdir and here.
    return undefined;
  }
}

/** The pids of all children of a process, and of theirs. */
export async function descendantsOf(pid: number): Promise<number[]> {
  const table = await readProcessTable();
  const found: number[] = [];
  const queue = [pid];
  for (let parent = queue.shift(); parent !== undefined; parent = queue.shift()) {
    for (const entry of table) {
      if (entry.parentPid !== parent) continue;
      found.push(entry.pid);
      queue.push(entry.pid);
    }
  }
  return found;
}

/** True while a process exists and is no zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  return (await readProcess(pid)) !== undefined;
}

/** SIGKILL to each pid, then waits until all are gone. Returns those that are left after `timeLimit` milliseconds. */
export async function killProcesses(pids: readonly number[], timeLimit: number): Promise<number[]> {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  const deadline = Date.now() + timeLimit;
  for (;;) {
    const alive = (await readProcessTable()).map((entry) => entry.pid);
    const left = pids.filter((pid) => alive.includes(pid));
    if (left.length === 0 || Date.now() >= deadline) return left;
    await sleep(20);
  }
}
