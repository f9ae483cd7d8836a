import { spawn, type ChildProcess } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readProcessTable } from './process/process-table';
import { TemporaryDirectory } from './process/temporary-directory';
import { writeOciArchive } from './oci/oci-archive';
import type { LayerEntry } from './oci/layer-source';
import { LONG } from '../linux/testing/long-trials';

const PROGRAM = join(__dirname, 'quickstart.js');

/** A quickstart at work, with what it has written so far. */
class Running {
  stdout = '';
  stderr = '';
  readonly exit: Promise<number | null>;

  constructor(readonly child: ChildProcess) {
    child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exit = new Promise((resolve) => child.once('close', resolve));
  }

  /** Resolves when a step has begun, or when the program has ended without it. */
  async begins(step: string): Promise<void> {
    const ended = this.exit.then(() => true);
    while (!this.stderr.includes(step)) {
      if (
        await Promise.race([ended, new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 20))])
      )
        break;
    }
    expect(this.stderr).toContain(step);
  }
}

function quickstart(...args: string[]): Running {
  return new Running(spawn(process.execPath, [PROGRAM, ...args], { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Two images with one large file in common, whose program is busybox. */
async function makeArchives(directory: string): Promise<string[]> {
  const common = Buffer.alloc(24 << 20, 'the same in both');
  const archives: string[] = [];
  for (const name of ['one', 'two']) {
    const entries: LayerEntry[] = [
      ...['bin', 'dev', 'proc', 'sys'].map((path): LayerEntry => ({ path, type: 'directory' })),
      { path: 'bin/busybox', type: 'file', mode: 0o755, content: await readFile('/bin/busybox') },
      { path: `common-of-${name}`, type: 'file', content: common },
      { path: 'own', type: 'file', content: Buffer.alloc(2 << 20, name) },
    ];
    const archive = join(directory, `${name}.tar`);
    const config = { entrypoint: ['/bin/busybox', 'sleep', '100000'] };
    // Both carry the same name on purpose: archives of the user's may.
    await writeOciArchive({ reference: 'example.local/same:name', layers: [{ entries }], config }, archive);
    archives.push(archive);
  }
  return archives;
}

/** Everything that a quickstart with this pid may leave on the machine. */
async function leftovers(pid: number): Promise<string[]> {
  const directories = (await readdir('/tmp')).filter((name) => name.startsWith('ishare-quickstart-'));
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n');
  const processes = (await readProcessTable()).map(({ commandLine }) => commandLine.join(' '));
  const cgroups = await readdir('/sys/fs/cgroup');
  return [
    ...directories,
    ...mounts.filter((line) => line.includes('/tmp/ishare-quickstart-')),
    ...processes.filter((line) => line.includes('/tmp/ishare-quickstart-')),
    ...cgroups.filter((name) => name.startsWith('quickstart-') && name.endsWith(`-${pid}`)),
  ];
}

test('shows what sharing saves for archives of the user’s, and leaves nothing behind', async () => {
  await using directory = await TemporaryDirectory.create();
  const running = quickstart(...(await makeArchives(directory.path)));
  expect(await running.exit).toBe(0);
  const figure = (row: string): number =>
    Number(new RegExp(`${row} .*?([\\d.]+) MiB`).exec(running.stdout)?.[1]);
  // 2 × (24 + 2 + busybox) MiB against 24 + 4 + busybox, give or take what the machine does meanwhile.
  expect(figure('without sharing')).toBeGreaterThan(45);
  expect(figure('with sharing')).toBeLessThan(0.8 * figure('without sharing'));
  expect(running.stdout).toContain('A  example.local/same:name');
  expect(await leftovers(running.child.pid!)).toEqual([]);
}, 180_000);

const INTERRUPTED = ['importing two.tar'];

test.each(LONG ? [...INTERRUPTED, 'running a container', 'dropping caches'] : INTERRUPTED)(
  'Ctrl-C, pressed twice at the step "%s", ends with 130 and leaves nothing behind',
  async (step) => {
    await using directory = await TemporaryDirectory.create();
    const running = quickstart(...(await makeArchives(directory.path)));
    await running.begins(`With sharing: ${step}`);
    running.child.kill('SIGINT');
    setTimeout(() => running.child.kill('SIGINT'), 20);
    expect(await running.exit).toBe(130);
    expect(running.stdout).toBe('');
    expect(await leftovers(running.child.pid!)).toEqual([]);
  },
  180_000,
);

test('SIGTERM ends it with 143', async () => {
  const running = quickstart();
  await running.begins('Asking apt');
  running.child.kill('SIGTERM');
  expect(await running.exit).toBe(143);
  expect(await leftovers(running.child.pid!)).toEqual([]);
}, 60_000);

test('an archive that is none fails with its name and leaves nothing behind', async () => {
  await using directory = await TemporaryDirectory.create();
  const absent = quickstart(join(directory.path, 'absent.tar'));
  expect(await absent.exit).toBe(1);
  expect(absent.stderr).toContain('absent.tar');
  const wrong = quickstart(PROGRAM);
  expect(await wrong.exit).toBe(1);
  expect(wrong.stderr).toContain('quickstart.js');
  expect(await leftovers(wrong.child.pid!)).toEqual([]);
}, 60_000);
