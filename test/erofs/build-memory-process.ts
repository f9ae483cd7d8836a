import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ImageBuilder } from '../../erofs/build-worker';
import { returnFreeMemory } from '../../linux/free-memory';

const ROUNDS = 5;
const IMAGES = 8;
const LIMIT_MS = 20_000;

/**
 * A process that builds images in threads that come and go, and then prints how many bytes of what was freed are still
 * its own. Arguments: the directory that images are made of, and one for them.
 */
async function build(directory: string, images: string): Promise<void> {
  await using builder = new ImageBuilder({ concurrency: 4, idleTimeout: 10 });
  const threads = (): number => readdirSync('/proc/self/task').length;
  const source = { directory, overlay: true };
  let idle = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const targets = Array.from({ length: IMAGES }, (_, index) => join(images, String(index)));
    await Promise.all(targets.map((target) => builder.build({ source, target })));
    // After the first ones Node keeps helper threads of its own.
    if (round === 0) {
      await sleep(1000);
      idle = threads();
    }
    const deadline = Date.now() + LIMIT_MS;
    while (threads() > idle && Date.now() < deadline) await sleep(20);
  }
  // Threads end a moment before it is told here.
  await sleep(200);
  const before = process.memoryUsage.rss();
  returnFreeMemory();
  process.stdout.write(String(before - process.memoryUsage.rss()));
}

const [directory = '', images = ''] = process.argv.slice(2);
void build(directory, images);
