import { lstatSync, readFileSync } from 'node:fs';

/**
 * Looks files up one after the other, as a process of its own: a JSON array of paths comes as a file, their times in
 * microseconds go out as JSON. Nothing else happens in between, so that the times are those of the calls.
 */
const [list = ''] = process.argv.slice(2);
const paths = JSON.parse(readFileSync(list, 'utf8')) as string[];
const times = new Float64Array(paths.length);
for (const [index, path] of paths.entries()) {
  const start = process.hrtime.bigint();
  lstatSync(path);
  times[index] = Number(process.hrtime.bigint() - start) / 1000;
}
process.stdout.write(JSON.stringify([...times]));
