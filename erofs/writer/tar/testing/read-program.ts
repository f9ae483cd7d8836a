import { tmpdir } from 'node:os';
import { Pace } from '../../pace';
import { Spool } from '../../spool';
import { readTarTree } from '../from-tar';

/** What the program found out, as JSON on its output. */
export interface ProgramReport {
  /** Names in the root directory. */
  readonly names: readonly string[];
  /** Bytes in the spool. */
  readonly spooled: number;
  /** By how much memory grew at most while the tar was read (bytes). */
  readonly growth: number;
}

/** Reads the tar that its argument names, in a process of its own. */
async function main(tar: string): Promise<void> {
  const before = process.memoryUsage.rss();
  using spool = new Spool(tmpdir());
  const root = await readTarTree({ tar }, spool, { pace: new Pace(undefined) });
  // The peak, which Linux counts in KiB.
  const growth = process.resourceUsage().maxRSS * 1024 - before;
  const report: ProgramReport = { names: [...root.entries.keys()], spooled: spool.size, growth };
  process.stdout.write(JSON.stringify(report));
}

void main(process.argv[2] ?? '');
