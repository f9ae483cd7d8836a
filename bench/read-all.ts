import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { unpackedCommand } from '../erofs/testing/erofs-utils';
import { readMountTable } from '../linux/mount-table';

/**
 * Reads all of an image through `ishare image mount` and through erofsfuse, in turn, each time cold (caches dropped, a
 * fresh mount), and prints the medians and their ratio. As root, on a machine with nothing else to do:
 *
 *   bash scripts/fetch-from-sid.sh --suite trixie /tmp/trixie erofsfuse
 *   node dist/bench/read-all.js --erofsfuse /tmp/trixie IMAGE
 */

/** How everything is read. */
const READERS = {
  tar: 'tar -cf - . | wc -c',
  cat: 'find . -type f -exec cat {} + | wc -c',
} as const;

/** A mount that has not come up by then will not (ms). */
const MOUNT_LIMIT = 20_000;

interface Server {
  readonly name: string;
  /** Words of a program that serves IMAGE at DIRECTORY in the foreground. */
  readonly command: readonly string[];
}

interface Options {
  readonly erofsfuse: string;
  readonly ours: string;
  readonly runs: string;
}

async function mounted(directory: string, server: ChildProcess): Promise<void> {
  for (const end = performance.now() + MOUNT_LIMIT; performance.now() < end;) {
    if ((await readMountTable()).some(({ target }) => target === directory)) return;
    if (server.exitCode !== null) break;
    await delay(20);
  }
  throw new Error(`${server.spawnargs.join(' ')}: nothing was mounted`);
}

/** Seconds that one cold read of everything takes. */
async function measure({ command }: Server, image: string, reader: string): Promise<number> {
  const directory = mkdtempSync(path.join(tmpdir(), 'read-all-'));
  execFileSync('sync');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
  const [program = '', ...words] = command;
  const server = spawn(program, [...words, image, directory], { stdio: 'ignore' });
  const ended = new Promise((resolve) => server.on('exit', resolve));
  try {
    await mounted(directory, server);
    const start = performance.now();
    const { status } = spawnSync('bash', ['-o', 'pipefail', '-c', reader], { cwd: directory });
    const seconds = (performance.now() - start) / 1000;
    if (status !== 0) throw new Error(`${command.join(' ')}: reading failed`);
    return seconds;
  } finally {
    spawnSync('umount', [directory]);
    await ended;
    rmdirSync(directory);
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

async function compare(image: string, { erofsfuse, ours, runs }: Options): Promise<void> {
  const servers: Server[] = [
    { name: 'ishare', command: ours.split(' ') },
    { name: 'erofsfuse', command: [...unpackedCommand(path.resolve(erofsfuse), 'erofsfuse'), '-f'] },
  ];
  for (const [way, reader] of Object.entries(READERS)) {
    const times = new Map<string, number[]>(servers.map(({ name }) => [name, []]));
    for (let run = 0; run < Number(runs); run++) {
      for (const server of servers) {
        times.get(server.name)?.push(await measure(server, path.resolve(image), reader));
      }
    }
    const medians = [...times].map(([name, values]) => [name, median(values), values] as const);
    for (const [name, middle, values] of medians) {
      console.log(
        `${way} ${name}: ${middle.toFixed(2)} s (${values.map((value) => value.toFixed(2)).join(', ')})`,
      );
    }
    const [first = NaN, second = NaN] = medians.map(([, middle]) => middle);
    console.log(`${way} ratio ishare/erofsfuse: ${(first / second).toFixed(2)}`);
  }
}

new Command('read-all')
  .argument('<image>')
  .requiredOption('--erofsfuse <tree>', 'where the package of erofsfuse is unpacked')
  .option('--ours <command>', 'what mounts an image in the foreground', 'bin/ishare image mount')
  .option('--runs <number>', 'of each', '5')
  .action(compare)
  .parseAsync()
  .catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
