import { writeSync } from 'node:fs';
import { fuzzTrial } from './trial';

/**
 * Tries damaged images, seed by seed: `node dist/test/erofs/fuzz/process.js FIRST SECONDS [COUNT]`, from the top of the
 * checkout. Says each seed before it is tried, so that whoever reads knows which one ended or blocked the process.
 * Ends with code 1 at the first failure, which it prints.
 */
async function main(): Promise<void> {
  const [first = 1, seconds = 10, count = Infinity] = process.argv.slice(2).map(Number);
  const end = performance.now() + seconds * 1000;
  for (let seed = first; seed < first + count && performance.now() < end; seed++) {
    // Synchronous: a line must be out before anything can block.
    writeSync(process.stdout.fd, `${seed}\n`);
    const story = await fuzzTrial(seed);
    if (count === 1) process.stderr.write(`${story}\nnothing is wrong with it\n`);
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
