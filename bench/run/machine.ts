import { readFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { runCommand } from '../../scripts/process/command';
import type { Machine } from '../result/result';

/** What the figures are of. `directory` is where images and snapshots are. */
export async function describeMachine(directory: string, readAheadKib: number): Promise<Machine> {
  const processors = cpus();
  const distribution = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const fileSystem = await runCommand('stat', ['--file-system', '--format=%T', directory]);
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    processors: processors.length,
    memoryBytes: totalmem(),
    kernel: release(),
    distribution: /^PRETTY_NAME="?([^"\n]*)/m.exec(distribution)?.[1] ?? 'unknown',
    fileSystem: fileSystem.stdout.trim(),
    load: loadavg()[0] ?? 0,
    readAheadKib,
  };
}
