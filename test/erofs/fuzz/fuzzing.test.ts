import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LONG } from '../../../linux/testing/long-trials';

/** How long images are damaged and tried, and from which seed on. */
const SECONDS = Number(process.env['ISHARE_TEST_FUZZ_SECONDS'] ?? (LONG ? 600 : 30));
const FIRST_SEED = Number(process.env['ISHARE_TEST_SEED'] ?? 1);

/** No image may keep the reader busy for longer (ms): most take 10, and machines differ. */
const IMAGE_LIMIT = 30_000;

/**
 * What the process may hold at any time (KiB): what a Node process takes, what is decoded at a time (four extents of
 * 12 MiB and what they come from), and the answers of the trial.
 */
const MEMORY_LIMIT = 700 * 1024;

interface Outcome {
  readonly code: number | null;
  readonly signal: string | null;
  readonly lastSeed: number;
  readonly complaint: string;
  /** Most memory that the process had at any time it was looked at (KiB). */
  readonly memory: number;
}

/** Fuzzes in a process of its own, so that a crash or an endless loop is a result like any other. */
function fuzz(): Promise<Outcome> {
  const child = spawn(process.execPath, [join(__dirname, 'process.js'), `${FIRST_SEED}`, `${SECONDS}`]);
  return new Promise((resolve, reject) => {
    let lastSeed = FIRST_SEED;
    let complaint = '';
    let memory = 0;
    const hanging = (): void => void child.kill('SIGKILL');
    let limit = setTimeout(hanging, IMAGE_LIMIT);
    const looks = setInterval(() => (memory = Math.max(memory, peakMemory(child.pid))), 500);
    child.stdout.on('data', (seeds: Buffer) => {
      lastSeed = Number(seeds.toString().trimEnd().split('\n').at(-1));
      clearTimeout(limit);
      limit = setTimeout(hanging, IMAGE_LIMIT);
    });
    child.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(limit);
      clearInterval(looks);
      resolve({ code, signal, lastSeed, complaint, memory });
    });
  });
}

/** VmHWM of a process in KiB; 0 once it has ended. */
function peakMemory(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

test(
  'damaged images give results or typed errors, the same each time, in bounded time and memory',
  async () => {
    const { code, signal, lastSeed, complaint, memory } = await fuzz();
    if (code !== 0) {
      const replay = `node dist/test/erofs/fuzz/process.js ${lastSeed} ${SECONDS} 1`;
      throw new Error(
        `seed ${lastSeed}: code ${code}, signal ${signal}. Again with: ${replay}\n${complaint}`,
      );
    }
    expect(lastSeed).toBeGreaterThan(FIRST_SEED + SECONDS);
    expect(memory).toBeGreaterThan(0);
    expect(memory).toBeLessThan(MEMORY_LIMIT);
  },
  SECONDS * 1000 + 2 * IMAGE_LIMIT,
);
