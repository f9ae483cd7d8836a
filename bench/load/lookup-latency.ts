import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { makeRealtime, THIS_THREAD } from '../../linux/realtime';

/**
 * Looks up names that nobody has looked up before, one after the other, and prints how long each took, in seconds, as JSON.
 * Arguments: a directory, the number of the first name, how many, milliseconds between them, and `realtime` where it is not to
 * wait for a processor behind ordinary processes.
 */

export const DIRECTORY_NAMES = 1000;

/** How files of the lookup image are called, so many a directory. */
export function lookupName(index: number): string {
  return join('lookups', `d${Math.floor(index / DIRECTORY_NAMES)}`, `f${index}`);
}

async function main(): Promise<void> {
  const [directory = '', first = '0', count = '0', pause = '0', how = ''] = process.argv.slice(2);
  if (how === 'realtime') makeRealtime(THIS_THREAD);
  const seconds: number[] = [];
  for (let index = Number(first); index < Number(first) + Number(count); index++) {
    const path = join(directory, lookupName(index));
    const start = performance.now();
    lstatSync(path);
    seconds.push((performance.now() - start) / 1000);
    await new Promise((resolve) => setTimeout(resolve, Number(pause)));
  }
  console.log(JSON.stringify(seconds));
}

if (require.main === module) void main();
