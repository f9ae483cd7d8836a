import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import SqliteDatabase from 'better-sqlite3';
import { connectAdmin, type AdminClient } from '../../proto/admin';
import type { DomainDetails } from '../../proto/admin-messages';
import type { BackgroundProcess } from '../../scripts/process/background-process';
import { runCommand } from '../../scripts/process/command';
import { IshareCommand } from '../harness/ishare-command';
import { mountSnapshot, type Mounted } from '../harness/mounting';
import { codeName, SnapshotsConnection } from '../harness/snapshots-connection';
import { repeatedCheck } from '../harness/repeated-check';
import { ADMIN, DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

const SHARED = 'shared '.repeat(2000);
const BYTES = 16384;

let place: DaemonPlace;
let daemon: BackgroundProcess;
let ishare: IshareCommand;
let client: SnapshotsConnection;
let admin: AdminClient;
const mounted: Mounted[] = [];

beforeAll(async () => {
  place = await DaemonPlace.create('[domains.namespaces]\nred = "red"\nidle = "idle"\n');
  daemon = await place.start();
  ishare = new IshareCommand(place.flags['admin-address']);
  client = new SnapshotsConnection(place.flags.address);
  admin = connectAdmin(`unix:${place.flags['admin-address']}`, credentials.createInsecure());
  await commitFiles(client, 'layer a', { file: SHARED });
  await commitFiles(client, 'layer b', { file: SHARED, other: 'other' });
  await startContainer('red/1/a', 'layer a');
  await startContainer('red/2/b', 'layer b');
});

afterAll(async () => {
  for (const rootfs of mounted) rootfs[Symbol.dispose]();
  admin.close();
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

/** Mounts what a container would have. */
async function startContainer(key: string, layer: string): Promise<void> {
  mounted.push(await mountSnapshot(await client.prepare(key, layer), place.in(key.replaceAll('/', '-'))));
}

/** Reads the file in every container. What they have read before may have left the page cache. */
async function readAll(): Promise<void> {
  for (const { path } of mounted) expect(await readFile(join(path, 'file'), 'utf8')).toBe(SHARED);
}

function log(): Promise<string> {
  return readFile(daemon.logFile, 'utf8');
}

/** The secret ids that the database holds, of whatever domain. */
function secrets(): Buffer[] {
  const database = new SqliteDatabase(place.in('root', 'metadata.db'), { readonly: true });
  try {
    return database
      .prepare<[], { secret: Buffer }>('SELECT secret FROM domains')
      .all()
      .map(({ secret }) => secret);
  } finally {
    database.close();
  }
}

describe('domains show', () => {
  test('tells images, containers with their rule, and what is cached and saved', async () => {
    await repeatedCheck(async () => {
      await readAll();
      expect(await ishare.json<DomainDetails>('domains', 'show', 'red')).toEqual({
        domain: { name: 'red', images: 2, dedup_inodes: 2, cached_bytes: BYTES, saved_bytes: BYTES },
        token: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
        images: ['layer a', 'layer b'],
        containers: ['red/1/a', 'red/2/b'].map((key) => ({
          key,
          domain: 'red',
          rule: 'domains.namespaces.red',
          earlier_id: false,
          images: 1,
          cached_bytes: BYTES / 2,
          saved_bytes: BYTES / 2,
        })),
      });
    });
    await repeatedCheck(async () => {
      await readAll();
      const text = await ishare.text('domains', 'show', 'red');
      expect(text).toContain('16.0 KiB shared, saves 16.0 KiB');
      expect(text).toMatch(/^red\/1\/a +red +domains\.namespaces\.red +1 +8\.0 KiB +8\.0 KiB$/m);
    });
  });

  test('knows domains that nothing was in so far, and no others', async () => {
    expect(await ishare.json('domains', 'show', 'idle')).toMatchObject({ token: '', containers: [] });
    const { exitCode, stderr } = await ishare.run('domains', 'show', 'blue');
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      'ishare: there is no domain "blue": the configuration names none, and none was used (ishare domains ls)\n',
    );
  });

  test('shows the secret id where it is asked for, and the log tells that without the id', async () => {
    const [secret] = secrets().map((each) => each.toString('hex'));
    expect(await log()).not.toContain('secret id of a domain was shown');
    const { secret_id: shown } = await ishare.json<DomainDetails>(
      'domains',
      'show',
      'red',
      '--show-secret-id',
    );
    expect(shown).toBe(secret);
    const lines = (await log())
      .split('\n')
      .filter((line) => line.includes('secret id of a domain was shown'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"domain":"red"');
  });
});

describe('a name that no domain can have', () => {
  test.each([
    ['with a slash', 'a/../b'],
    ['that is two dots', '..'],
    ['with a NUL', 'red\0blue'],
    ['of 4 KiB', 'x'.repeat(4096)],
    ['with a line break and an escape sequence', 'a\n\u001b[31m'],
    ['that is empty', ''],
  ])('%s is refused by every call, each with one short line in the log', async (_what, name) => {
    const calls = [
      callCode((callback) => admin.ShowDomain({ name }, {}, callback)),
      callCode((callback) => admin.RotateDomain({ name }, {}, callback)),
      callCode((callback) => admin.DropCache({ domain: name }, {}, callback)),
      ...(name === '' ? [] : [callCode((callback) => admin.ListInodes({ domain: name }, {}, callback))]),
    ];
    const before = await refusals();
    for (const call of calls) expect(await call()).toBe('INVALID_ARGUMENT');
    const lines = (await refusals()).slice(before.length);
    expect(lines).toHaveLength(calls.length);
    for (const line of lines) {
      expect(line.length).toBeLessThan(400);
      expect(line).not.toMatch(/[^\x20-\x7e]/);
    }
  });

  /** A call that waits until it is made, so that each has its line before the next. */
  function callCode(
    invoke: (callback: (error: ServiceError | null) => void) => unknown,
  ): () => Promise<string> {
    return () =>
      new Promise((resolve) => {
        invoke((error) => resolve(error === null ? 'OK' : codeName(error)));
      });
  }

  async function refusals(): Promise<string[]> {
    return (await log()).split('\n').filter((line) => line.includes('refused an admin request'));
  }

  test('on the command line is told in one line, and the domain stays', async () => {
    const before = secrets();
    const { exitCode, stderr } = await ishare.run('domains', 'rotate', '../red', '--yes');
    expect(exitCode).toBe(1);
    expect(stderr).toBe('ishare: "../red" cannot be the name of a domain\n');
    expect(secrets()).toEqual(before);
  });
});

test('rotate asks first, and where nobody can be asked it wants --yes', async () => {
  const before = secrets();
  const { exitCode, stderr } = await ishare.run('domains', 'rotate', 'red');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('say --yes');
  const command = `${ADMIN} domains rotate red --address ${place.flags['admin-address']}`;
  const { stdout } = await runCommand('bash', [
    '-c',
    `echo no | script -qec '${command}' /dev/null || echo "exit $?"`,
  ]);
  expect(stdout).toContain('Containers that run keep their pages');
  expect(stdout).toContain('Nothing was changed.');
  expect(stdout).toContain('exit 1');
  expect(secrets()).toEqual(before);
});

describe('after a rotation', () => {
  let earlier: readonly Buffer[];

  beforeAll(async () => {
    earlier = secrets();
    expect(await ishare.text('domains', 'rotate', 'red', '--yes')).toBe(
      'The domain "red" has a new id. 2 containers stay in an earlier one until they are removed.\n',
    );
  });

  test('what runs stays in the old id, and what starts shares among itself only', async () => {
    const [old] = earlier;
    expect(secrets().filter((secret) => secret.equals(old!))).toHaveLength(1);
    expect(secrets()).toHaveLength(earlier.length + 1);
    await startContainer('red/3/a', 'layer a');
    await repeatedCheck(async () => {
      await readAll();
      const { domain, containers } = await ishare.json<DomainDetails>('domains', 'show', 'red');
      expect(containers.map(({ key, earlier_id }) => [key, earlier_id])).toEqual([
        ['red/1/a', true],
        ['red/2/b', true],
        ['red/3/a', false],
      ]);
      // The content is in memory twice: once for the two that ran, once for the new one.
      expect(domain).toMatchObject({
        images: 3,
        dedup_inodes: 3,
        cached_bytes: 2 * BYTES,
        saved_bytes: BYTES,
      });
    });
    expect(await ishare.text('domains', 'show', 'red')).toContain('red (earlier id)');
  });

  test('another rotation counts all that stay behind', async () => {
    expect(await ishare.json('domains', 'rotate', 'red', '--yes')).toEqual({ containers: 3 });
    expect(await ishare.json('domains', 'rotate', 'idle', '--yes')).toEqual({ containers: 0 });
  });
});

describe('the secret id of a domain', () => {
  test('is in no answer, mount table or log', async () => {
    const commands = [
      ['status'],
      ['top'],
      ['domains', 'ls'],
      ['domains', 'show', 'red'],
      ['inodes', 'ls'],
      ['images', 'ls'],
      ['explain', 'red/1/a'],
      ['explain', 'red/1/a', '/file'],
    ];
    const texts = new Map<string, string>([
      ['log', await log()],
      ['mounts', await readFile('/proc/self/mountinfo', 'utf8')],
      ['mounts of the daemon', await readFile(`/proc/${daemon.pid}/mountinfo`, 'utf8')],
      ['command line', await readFile(`/proc/${daemon.pid}/cmdline`, 'utf8')],
      ['environment', await readFile(`/proc/${daemon.pid}/environ`, 'latin1')],
      ['names', (await readdir(place.path, { recursive: true })).join('\n')],
    ]);
    for (const command of commands)
      texts.set(command.join(' '), JSON.stringify(await ishare.json(...command)));
    const found = secrets();
    expect(found.length).toBeGreaterThanOrEqual(4);
    for (const secret of found) {
      for (const [where, text] of texts) {
        for (const form of ['hex', 'base64', 'base64url', 'latin1'] as const) {
          if (text.toLowerCase().includes(secret.toString(form).toLowerCase()))
            throw new Error(`it is in ${where}`);
        }
      }
    }
  });

  test('is in no answer of the service as it goes over the wire', async () => {
    const answers = await Promise.all([
      wire((callback) => admin.Status({}, {}, callback)),
      wire((callback) => admin.Overview({ limit: 0 }, {}, callback)),
      wire((callback) => admin.ListDomains({}, {}, callback)),
      wire((callback) => admin.ShowDomain({ name: 'red' }, {}, callback)),
      wire((callback) => admin.ListInodes({}, {}, callback)),
      wire((callback) => admin.ListImages({}, {}, callback)),
      wire((callback) => admin.Explain({ snapshot: 'red/1/a', path: 'file' }, {}, callback)),
    ]);
    for (const secret of secrets())
      for (const answer of answers) expect(answer).not.toContain(secret.toString('hex'));
  });

  function wire(
    invoke: (callback: (error: ServiceError | null, answer?: unknown) => void) => unknown,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      invoke((error, answer) => (error === null ? resolve(JSON.stringify(answer)) : reject(error)));
    });
  }
});

test.each([
  ['the admin socket', () => ['status', '--address', place.flags['admin-address']]],
  ['the snapshots socket', () => ['status', '--address', place.flags.address]],
])('another user cannot use %s', async (_what, words) => {
  const command = ['--reuid=65534', '--regid=65534', '--clear-groups', ADMIN, ...words()];
  const failure = await runCommand('setpriv', command).then(
    () => 'it can',
    (error: unknown) => (error as Error).message,
  );
  expect(failure).toContain('permission denied; this needs root');
});

test.each([
  ['the database', () => place.in('root', 'metadata.db')],
  ['its write-ahead log', () => place.in('root', 'metadata.db-wal')],
  ['the memory of the daemon', () => `/proc/${daemon.pid}/mem`],
  ['its environment', () => `/proc/${daemon.pid}/environ`],
  ['its open files', () => `/proc/${daemon.pid}/fd/`],
  ['its memory map', () => `/proc/${daemon.pid}/maps`],
  ['the images mount', () => place.in('state', 'images')],
])('another user cannot read %s', async (_what, path) => {
  const script = 'if test -d "$1"; then ls "$1"; else head -c 1 "$1"; fi';
  const failure = await runCommand('setpriv', [
    ...['--reuid=65534', '--regid=65534', '--clear-groups', 'sh', '-c', script, 'sh', path()],
  ]).then(
    () => 'it can',
    (error: unknown) => (error as Error).message,
  );
  expect(failure).toMatch(/Permission denied/);
});
