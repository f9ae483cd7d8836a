import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../../scripts/process/command';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { noise } from '../harness/noise';

const MIB = 2 ** 20;

test('what build threads have freed goes back to the kernel when the last one has ended', async () => {
  await using directory = await TemporaryDirectory.create();
  const [source, images] = [join(directory.path, 'source'), join(directory.path, 'images')];
  for (const path of [source, images]) await mkdir(path);
  for (let index = 0; index < 300; index += 1)
    await writeFile(join(source, `small-${index}`), noise(`small ${index}`, 20_000));
  for (let index = 0; index < 3; index += 1)
    await writeFile(join(source, `large-${index}`), noise(`large ${index}`, 700_001));
  const script = join(__dirname, 'build-memory-process.js');
  const { stdout } = await runCommand(process.execPath, [script, source, images], { timeLimit: 50_000 });
  expect(stdout).toMatch(/^-?\d+$/);
  // Where nothing is given back it is some 75 MiB.
  expect(Number(stdout)).toBeLessThan(16 * MIB);
});
