import { access, readFile, writeFile } from 'node:fs/promises';
import { runCommand } from '../../scripts/process/command';
import { LONG } from '../../linux/testing/long-trials';
import { ADMIN, DAEMON, DaemonPlace, isSocket } from './daemon-place';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create();
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

/** A refused daemon made nothing at all. */
async function expectUntouched(): Promise<void> {
  for (const path of [place.flags.root, place.flags.state, place.in('run')]) {
    await expect(access(path)).rejects.toThrow('ENOENT');
  }
  expect(await place.mounts()).toEqual([]);
}

test('a configuration file that was asked for and is missing is an error that names it', async () => {
  const missing = place.in('missing.toml');
  const { exitCode, stderr } = await place.refusal({ flags: { config: missing } });
  expect(exitCode).toBe(1);
  expect(stderr).toBe(`ishare-snapshotter: configuration ${missing}: there is no such file\n`);
  await expectUntouched();
});

test.each([
  ['a wrong value', '[fuse]\npassthrough = "yes"\n', /key fuse\.passthrough \(line 2\): .*boolean/],
  ['an unknown key', '[fuse]\npass = true\n', /unknown key fuse\.pass \(line 2\)$/m],
  ['a mistake in the TOML', 'log_level = "info"\nroot = /var\n', /, line 2, column \d+: /],
])('%s in the configuration file is an error that names file and place', async (_what, text, reason) => {
  await writeFile(place.flags.config, text);
  const { exitCode, stderr } = await place.refusal();
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`ishare-snapshotter: configuration ${place.flags.config}`);
  expect(stderr).toMatch(reason);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  await expectUntouched();
});

test.each([
  ['an unknown flag', ['--verbose'], '--verbose'],
  ['a flag without its value', ['--root'], '--root'],
  ['an empty value', ['--root', ''], '--root'],
  ['a log level that there is not', ['--log-level', 'loud'], 'error, warn, info, debug'],
  ['a word that is no flag', ['start'], 'argument'],
])('%s is an error with the usage', async (_what, args, named) => {
  const failure = await runCommand(DAEMON, args, { timeLimit: 20_000 }).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({
    outcome: { failure: 'exit-code', exitCode: 1, stderr: expect.stringContaining(named) as unknown },
  });
  expect(failure).toMatchObject({
    outcome: { stderr: expect.stringContaining('Usage: ishare-snapshotter') as unknown },
  });
});

test('--help shows every flag with its default', async () => {
  const { stdout } = await runCommand(DAEMON, ['--help']);
  const words = stdout.replace(/\s+/g, ' ');
  for (const [flag, value] of [
    ['--config', '/etc/ishare-snapshotter/config.toml'],
    ['--root', '/var/lib/ishare-snapshotter'],
    ['--state', '/run/ishare-snapshotter'],
    ['--address', '/run/ishare-snapshotter/snapshotter.sock'],
    ['--admin-address', '/run/ishare-snapshotter/admin.sock'],
    ['--log-level', 'info'],
  ] as const) {
    expect(words).toMatch(new RegExp(`${flag} <[^-]*\\(default: "${value}"\\)`));
  }
});

test('--version shows the version of the package', async () => {
  const { stdout } = await runCommand(DAEMON, ['--version']);
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('the version is told again and again without a crash of the thread that was begun meanwhile', async () => {
  for (let times = 0; times < (LONG ? 200 : 20); times += 1) await runCommand(DAEMON, ['--version']);
}, 120_000);

test('what the file says holds where no flag is given, and a flag wins', async () => {
  const { root, state, config } = place.flags;
  const [address, overruled, admin] = [place.in('s.sock'), place.in('file.sock'), place.in('flag.sock')];
  await writeFile(config, `address = "${address}"\nadmin_address = "${overruled}"\n`);
  const daemon = place.launch({
    arguments: ['--config', config, '--root', root, '--state', state, '--admin-address', admin],
  });
  await place.waitForSocket(daemon, address);
  expect(await isSocket(admin)).toBe(true);
  expect(await isSocket(overruled)).toBe(false);
});

test('paths on the command line are meant from the working directory', async () => {
  const daemon = place.launch({
    arguments: [
      '--config=config.toml',
      '--root=r',
      '--state=st',
      '--address=s.sock',
      '--admin-address=./a.sock',
    ],
    directory: place.path,
  });
  await place.waitForSocket(daemon, place.in('s.sock'));
  expect(await isSocket(place.in('a.sock'))).toBe(true);
  expect((await place.mounts()).map(({ target }) => target)).toEqual([place.in('st', 'images')]);
});

test('without --config and without the default file the defaults hold', async () => {
  const { root, state, address, 'admin-address': admin } = place.flags;
  const daemon = place.launch({
    arguments: ['--root', root, '--state', state, '--address', address, '--admin-address', admin],
    // This machine may have a default file: in a mount table of its own the daemon finds an empty /etc.
    prefix: ['unshare', '--mount', 'sh', '-ec', 'mount -t tmpfs none /etc; exec "$@"', 'sh'],
  });
  await place.waitForSocket(daemon);
  expect(await daemon.stop(20_000)).toBe(true);
  expect(daemon.exitCode).toBe(0);
});

test('passthrough that is switched off is said in the log and by `ishare status`', async () => {
  await writeFile(place.flags.config, '[fuse]\npassthrough = false\n');
  const daemon = await place.start();
  const { stdout } = await runCommand(ADMIN, ['status', '--json', '--address', place.flags['admin-address']]);
  expect(JSON.parse(stdout)).toMatchObject({
    passthrough: false,
    sharing: expect.stringMatching(
      /^partial: read\(2\) shares, mmap and exec do not, because the configuration /,
    ) as unknown,
  });
  await daemon.stop(20_000);
  expect(await readFile(daemon.logFile, 'utf8')).toMatch(
    /"level":"warn".*sharing is partial: read\(2\) shares/,
  );
});
