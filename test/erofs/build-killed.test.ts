import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isTemporaryImageName, type BuildOptions } from '../../erofs/build';
import { verifyImageFile } from '../../erofs/digests/image-verification';
import { complaintsOfSystemFsck } from '../../erofs/writer/testing/fsck';
import { ScratchDirectory } from '../../erofs/writer/testing/scratch-directory';
import { LONG } from '../../linux/testing/long-trials';

const KILLS = LONG ? 200 : 12;

const BUILD = `const { buildImage } = require(${JSON.stringify(join(__dirname, '../../erofs/build.js'))});
  buildImage(JSON.parse(process.argv[1])).then(() => console.log('done'));`;

test.each([
  ['directory', { directory: 'source', overlay: false }],
  ['tar', { tar: 'layer.tar' }],
])(`a killed build of a %s leaves an image with digests or none, ${KILLS} times`, async (_what, from) => {
  using scratch = new ScratchDirectory('tmpfs');
  scratch.shell(`mkdir source images; cd source; for i in $(seq 300); do seq $i 4000 > $i; done
    head -c 12000000 /dev/urandom > noise; cd ..; tar -C source -cf layer.tar .`);
  const source = Object.fromEntries(
    Object.entries(from).map(([key, value]) => [
      key,
      typeof value === 'string' ? scratch.join(value) : value,
    ]),
  ) as unknown as BuildOptions['source'];
  const compression = { encoder: 'lz4', pclusterSize: 4096, inlineTails: true, rules: [] } as const;
  const target = scratch.join('images/image');
  const digests = scratch.join('images/table');
  let whole = 0;
  // One that nobody kills says how long it takes.
  let patience = 10_000;
  for (let round = 0; round <= KILLS; round++) {
    const started = performance.now();
    const options = JSON.stringify({ source, target, compression, digests });
    const child = spawn(process.execPath, ['-e', BUILD, options], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    const killer = new AbortController();
    const killed = sleep(round === 0 ? patience : (patience * round) / KILLS, undefined, {
      signal: killer.signal,
    })
      .then(() => child.kill('SIGKILL'))
      .catch(() => undefined);
    await exited;
    killer.abort();
    await killed;
    if (round === 0) patience = performance.now() - started;
    const names = readdirSync(scratch.join('images'));
    for (const name of names) {
      expect(name === 'image' || name === 'table' || isTemporaryImageName(name)).toBe(true);
    }
    if (names.includes('image')) {
      whole++;
      expect(complaintsOfSystemFsck(target)).toBe('');
      const root = createHash('sha256').update(readFileSync(digests)).digest('hex');
      expect(await verifyImageFile(target, { path: digests, root })).toMatchObject({ wrongUnits: 0 });
    }
    scratch.shell('find images -type f -delete');
  }
  expect(whole).toBeGreaterThanOrEqual(1);
  expect(whole).toBeLessThanOrEqual(KILLS);
});
