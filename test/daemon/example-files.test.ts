import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { configSchema } from '../../config/schema';
import { runCommand } from '../../scripts/process/command';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { CHECKOUT, DAEMON } from './daemon-place';

const defaults = configSchema.parse({});
const example = (name: string): string => join(CHECKOUT, 'config', name);

const load = async (name: string): Promise<unknown> => parse(await readFile(example(name), 'utf8'));

const proxy = { type: 'snapshot', address: defaults.address };

test('the file for containerd 1.x names the default socket', async () => {
  expect(await load('containerd-1.x.toml')).toEqual({
    version: 2,
    proxy_plugins: { ishare: proxy },
    plugins: { 'io.containerd.grpc.v1.cri': { containerd: { snapshotter: 'ishare' } } },
  });
});

test('the file for containerd 2.x names the default socket and root', async () => {
  expect(await load('containerd-2.x.toml')).toMatchObject({
    version: 3,
    proxy_plugins: {
      ishare: { ...proxy, exports: { root: defaults.root } },
      'ishare-diff': { ...proxy, type: 'diff' },
    },
    plugins: { 'io.containerd.cri.v1.images': { snapshotter: 'ishare' } },
  });
});

/** What containerd makes of a configuration file. */
async function dump(containerd: string, file: string): Promise<{ stdout: string; stderr: string }> {
  return runCommand(containerd, ['--config', file, 'config', 'dump'], { timeLimit: 30_000 });
}

test('the installed containerd takes its file: the plugin is known and Kubernetes uses it', async () => {
  const directory = process.env['ISHARE_TEST_CONTAINERD_BIN'];
  const containerd = directory === undefined ? 'containerd' : join(directory, 'containerd');
  const { stdout: version } = await runCommand(containerd, ['--version']);
  const modern = / v?2\./.test(version);
  const { stdout } = await dump(containerd, example(modern ? 'containerd-2.x.toml' : 'containerd-1.x.toml'));
  const dumped = parse(stdout);
  expect(dumped).toMatchObject({ proxy_plugins: { ishare: proxy } });
  expect(dumped).toMatchObject({
    plugins: modern
      ? { 'io.containerd.cri.v1.images': { snapshotter: 'ishare' } }
      : { 'io.containerd.grpc.v1.cri': { containerd: { snapshotter: 'ishare' } } },
  });
});

test('the systemd unit starts the installed program, and systemd finds nothing wrong with it', async () => {
  const text = await readFile(example('ishare-snapshotter.service'), 'utf8');
  const installed = '/opt/ishare-snapshotter/bin/ishare-snapshotter';
  expect(text).toContain(`ExecStart=${installed}\n`);
  const verify = '/usr/bin/systemd-analyze';
  const found = await access(verify).then(
    () => true,
    () => false,
  );
  // Containers and small systems have no systemd to ask.
  if (!found) return;
  await using directory = await TemporaryDirectory.create();
  const unit = join(directory.path, 'ishare-snapshotter.service');
  await writeFile(unit, text.replace(installed, DAEMON));
  expect(await runCommand(verify, ['verify', unit])).toEqual({ stdout: '', stderr: '' });
});
