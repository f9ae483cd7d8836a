import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resultSchema } from '../../bench/result/result';
import { countElements } from '../../bench/testing/well-formed';
import { readMountTable } from '../../linux/mount-table';
import { CommandError, runCommand } from '../../scripts/process/command';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';

const MAIN = join(__dirname, '../../bench/main.js');

function bench(...words: string[]): Promise<{ stdout: string; stderr: string }> {
  return runCommand(process.execPath, [MAIN, ...words], {
    timeLimit: 110_000,
    environment: { UV_THREADPOOL_SIZE: '16' },
  });
}

async function mounts(): Promise<string[]> {
  return (await readMountTable())
    .map(({ target }) => target)
    .filter((target) => target.startsWith('/tmp/bench'));
}

test('a quick run leaves results that follow their schema, a report that is well-formed, and no mount', async () => {
  await using directory = await TemporaryDirectory.create('ishare-bench-test');
  const before = new Set(await mounts());
  const place = ['--out', join(directory.path, 'out'), '--cache', join(directory.path, 'cache')];
  await bench('--quick', '--runs', '1', '--only', 'scale-engine', ...place);
  const text = await readFile(join(directory.path, 'out', 'results.json'), 'utf8');
  const result = resultSchema.parse(JSON.parse(text));
  expect(result.benches.map(({ name }) => name)).toEqual(['scale-engine']);
  expect(result.skipped.filter(({ bench: name }) => name !== 'all')).toEqual([]);
  expect(new Set(result.measurements.map(({ case: over }) => over))).toEqual(
    new Set(['dedup inodes', 'attached images']),
  );
  const html = await readFile(join(directory.path, 'out', 'report.html'), 'utf8');
  // Five metrics over two numbers.
  expect(countElements(html).get('svg')).toBe(10);
  expect(html).toContain('~ n^');
  expect((await mounts()).filter((target) => !before.has(target))).toEqual([]);
}, 120_000);

test('benchmarks are listed, and one that does not exist is refused by name', async () => {
  const { stdout } = await bench('--list');
  expect(stdout).toMatch(/^memory-reading /m);
  const failure: unknown = await bench('--only', 'nonsense').catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(CommandError);
  expect((failure as CommandError).stderr).toContain('no benchmark is called nonsense');
});
