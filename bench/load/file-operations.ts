import { closeSync, lstatSync, openSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Does one thing with files as fast as it can, in a process of its own, and prints how often it did it in a second.
 * Arguments: `stat` or `open`, a directory, and milliseconds. Node's own share is about a microsecond a call, the same for
 * every file system.
 */

/** As many as fit any cache of the kernel's. */
const FILES = 2_000;

function filesBelow(directory: string, found: string[] = []): string[] {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (found.length >= FILES) break;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) filesBelow(path, found);
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

const OPERATIONS: Readonly<Record<string, (path: string) => void>> = {
  stat: (path) => void lstatSync(path),
  open: (path) => closeSync(openSync(path, 'r')),
};

const [name = '', directory = '', milliseconds = ''] = process.argv.slice(2);
const operation = OPERATIONS[name];
if (operation === undefined) throw new Error(`${name}: no such operation`);
const files = filesBelow(directory);
let count = 0;
const start = performance.now();
const end = start + Number(milliseconds);
let now = start;
while (now < end) {
  for (const file of files) operation(file);
  count += files.length;
  now = performance.now();
}
console.log(count / ((now - start) / 1000));
