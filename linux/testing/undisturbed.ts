import { readFile } from 'node:fs/promises';

/** How often somebody dropped the kernel's caches by hand, since the machine started (/proc/vmstat). */
async function drops(): Promise<string> {
  const lines = (await readFile('/proc/vmstat', 'utf8')).split('\n');
  return lines.filter((line) => /^drop_(pagecache|slab) /.test(line)).join();
}

/**
 * Runs what expects caches to keep what they have. Where it fails and another process has emptied the caches of the whole
 * machine meanwhile, it runs again. `attempt` counts from 0.
 */
export async function undisturbed(work: (attempt: number) => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const before = await drops();
    try {
      await work(attempt);
      return;
    } catch (error) {
      if ((await drops()) === before || attempt === 9) throw error;
    }
  }
}
