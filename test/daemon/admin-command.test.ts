import { createServer } from 'node:net';
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { CommandError, runCommand } from '../../scripts/process/command';
import { mountSnapshot, type Mounted } from '../harness/mounting';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { repeatedCheck } from '../harness/repeated-check';
import { ADMIN, DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

const ALL: [string[]][] = [[['status']], [['domains', 'ls']], [['inodes', 'ls']], [['images', 'ls']]];

/** The same content in two layers, one of each alone. */
const SHARED = 'shared '.repeat(2000);

let place: DaemonPlace;

beforeAll(async () => {
  place = await DaemonPlace.create('[domains.namespaces]\none = "first"\ntwo = "second"\nnone = ""\n');
});

afterAll(async () => {
  await place[Symbol.asyncDispose]();
});

async function ishare(...args: string[]): Promise<string> {
  const { stdout, stderr } = await runCommand(ADMIN, [...args, '--address', place.flags['admin-address']], {
    timeLimit: 30_000,
  });
  expect(stderr).toBe('');
  return stdout;
}

async function json<Result>(...args: string[]): Promise<Result> {
  return JSON.parse(await ishare(...args, '--json')) as Result;
}

async function failure(args: readonly string[]): Promise<{ exitCode: number | undefined; stderr: string }> {
  try {
    await runCommand(ADMIN, args, { timeLimit: 30_000 });
  } catch (error) {
    if (error instanceof CommandError) return { exitCode: error.outcome.exitCode, stderr: error.stderr };
    throw error;
  }
  throw new Error('the command succeeded');
}

describe('without a daemon', () => {
  test.each(ALL)('%j is one clear line and exit code 1', async (command) => {
    const nobody = place.in('nobody.sock');
    for (const flags of [[], ['--json']]) {
      const { exitCode, stderr } = await failure([...command, '--address', nobody, ...flags]);
      expect(exitCode).toBe(1);
      expect(stderr).toBe(
        `ishare: no daemon answers on ${nobody}. Is ishare-snapshotter running? (--address names another socket)\n`,
      );
    }
  });

  test.each([
    [['top']],
    [['domains', 'show', 'any']],
    [['domains', 'rotate', 'any', '--yes']],
    [['inodes', 'show', '01234567']],
    [['images', 'verify', '--all']],
    [['explain', 'any', '/file']],
    [['cache', 'drop', '--all']],
    [['cache', 'warm', 'any']],
  ])('%j is the same', async (command) => {
    const { exitCode, stderr } = await failure([...command, '--address', place.in('nobody.sock')]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^ishare: no daemon answers on .*\n$/);
  });

  test('a socket where something else answers is an error', async () => {
    await mkdir(place.in('run'), { recursive: true });
    const socket = place.in('run', 'other.sock');
    const server = createServer((connection) => connection.end('hello\n'));
    server.listen(socket);
    await once(server, 'listening');
    const { exitCode, stderr } = await failure(['status', '--address', socket]);
    server.close();
    expect(exitCode).toBe(1);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toContain(socket);
  });
});

describe('a command that there is not', () => {
  test.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['domains', 'rm'], "unknown command 'rm'"],
    [['status', '--yaml'], "unknown option '--yaml'"],
    [['status', 'now'], 'too many arguments'],
    [['status', '--address'], 'argument missing'],
    [['status', '--address', ''], 'It is empty.'],
    [['inodes', 'ls', '--sort', 'colour'], 'saved, cached, size, images, open, fingerprint'],
    [['inodes', 'ls', '--limit', 'ten'], 'It is no whole number.'],
    [['inodes', 'ls', '--limit', '-1'], 'It is no whole number.'],
    [['inodes', 'ls', '--limit', '99999999999999999999'], 'It is no whole number.'],
  ])('%j is an error with the usage', async (args, reason) => {
    const { exitCode, stderr } = await failure(args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(reason);
    expect(stderr).toContain('Usage: ishare');
  });

  test.each([[[]], [['domains']], [['inodes']], [['images']], [['cache']]])(
    '%j alone shows the usage',
    async (args) => {
      const { exitCode, stderr } = await failure(args);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('Usage: ishare');
    },
  );
});

test('--help names all commands and --version the version', async () => {
  const { stdout } = await runCommand(ADMIN, ['--help']);
  for (const name of ['status', 'top', 'domains', 'inodes', 'images', 'explain', 'cache'])
    expect(stdout).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
  expect((await runCommand(ADMIN, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

interface Status {
  readonly pid: number;
  readonly root: string;
  readonly snapshots: number;
  readonly images: number;
  readonly attached_images: number;
  readonly dedup_inodes: number;
  readonly open_files: number;
  readonly saved_bytes: number;
  readonly cached_bytes: number;
}

interface Inode {
  readonly fingerprint: string;
  readonly domain: string;
  readonly size: number;
  readonly images: number;
  readonly cached_bytes: number;
  readonly saved_bytes: number;
}

describe('with a daemon that has done nothing yet', () => {
  beforeAll(async () => {
    await place.start();
  });

  test('lists are empty JSON lists, but for the domains that are configured', async () => {
    expect(await json('inodes', 'ls')).toEqual([]);
    expect(await json('images', 'ls')).toEqual([]);
    const nothing = { images: 0, dedup_inodes: 0, cached_bytes: 0, saved_bytes: 0 };
    expect(await json('domains', 'ls')).toEqual([
      { name: 'first', ...nothing },
      { name: 'second', ...nothing },
    ]);
  });

  test('status is one JSON object of zeroes', async () => {
    expect(await json('status')).toMatchObject({
      root: place.flags.root,
      state: place.flags.state,
      address: place.flags.address,
      snapshots: 0,
      images: 0,
      attached_images: 0,
      dedup_inodes: 0,
      cached_bytes: 0,
      saved_bytes: 0,
    });
  });

  test('people are told what to do', async () => {
    expect(await ishare('inodes', 'ls')).toMatch(/^No shared inodes: .*\n$/);
    expect(await ishare('inodes', 'ls', '--domain', 'typo')).toContain('"typo"');
    expect(await ishare('images', 'ls')).toMatch(/^No images: .*\n$/);
    expect(await ishare('status')).toContain('0 (0 images, 0 attached)');
  });
});

describe('with two containers in one domain, one in another and one in none', () => {
  const mounted: Mounted[] = [];
  /** Of the shared content, in each container. */
  const copies: string[] = [];
  let client: SnapshotsConnection;

  beforeAll(async () => {
    client = new SnapshotsConnection(place.flags.address);
    await commitFiles(client, 'layer a', { common: SHARED, only: 'only in a' });
    await commitFiles(client, 'layer b', { renamed: SHARED, other: 'only in b', twice: 'only in b' });
    for (const [key, layer, file] of [
      ['one/1/a', 'layer a', 'common'],
      ['one/2/b', 'layer b', 'renamed'],
      ['two/3/b', 'layer b', 'renamed'],
      ['none/4/b', 'layer b', 'renamed'],
    ] as const) {
      const name = key.replaceAll('/', '-');
      const rootfs = await mountSnapshot(await client.prepare(key, layer), place.in(`rootfs-${name}`));
      mounted.push(rootfs);
      copies.push(`${rootfs.path}/${file}`);
    }
  });

  /** What they have read before may have left the page cache. */
  async function readAll(): Promise<void> {
    for (const copy of copies) expect(await readFile(copy, 'utf8')).toBe(SHARED);
  }

  afterAll(() => {
    for (const rootfs of mounted) rootfs[Symbol.dispose]();
    client[Symbol.dispose]();
  });

  const pages = (bytes: number): number => Math.ceil(bytes / 4096) * 4096;

  test('domains ls counts images, inodes, cached and saved bytes of each', async () => {
    await repeatedCheck(async () => {
      await readAll();
      expect(await json('domains', 'ls')).toEqual([
        {
          name: 'first',
          images: 2,
          dedup_inodes: 3,
          cached_bytes: pages(SHARED.length),
          saved_bytes: pages(SHARED.length),
        },
        { name: 'second', images: 1, dedup_inodes: 2, cached_bytes: pages(SHARED.length), saved_bytes: 0 },
      ]);
    });
    await repeatedCheck(async () => {
      await readAll();
      expect(await ishare('domains', 'ls')).toMatch(
        /^DOMAIN +IMAGES +INODES +CACHED +SAVED\nfirst +2 +3 +16\.0 KiB +16\.0 KiB\n/,
      );
    });
  });

  test('inodes ls sorts and limits', async () => {
    let inodes: Inode[] = [];
    await repeatedCheck(async () => {
      await readAll();
      inodes = await json<Inode[]>('inodes', 'ls');
      expect(inodes).toHaveLength(5);
      expect(inodes[0]).toMatchObject({
        domain: 'first',
        size: SHARED.length,
        images: 2,
        saved_bytes: pages(SHARED.length),
      });
    });
    for (const [key, field] of [
      ['saved', 'saved_bytes'],
      ['cached', 'cached_bytes'],
      ['size', 'size'],
      ['images', 'images'],
    ] as const) {
      const values = (await json<Inode[]>('inodes', 'ls', '--sort', key)).map((inode) => inode[field]);
      expect(values).toEqual([...values].sort((one, other) => other - one));
    }
    const names = (await json<Inode[]>('inodes', 'ls', '--sort', 'fingerprint')).map(
      ({ fingerprint }) => fingerprint,
    );
    expect(names).toEqual([...names].sort());
    for (const name of names) expect(name).toMatch(/^sha256:[0-9a-f]{64}$/);
    const fingerprints = (list: readonly Inode[]): string[] => list.map(({ fingerprint }) => fingerprint);
    const sorted = (limit: string): Promise<Inode[]> =>
      json('inodes', 'ls', '--sort', 'size', '--limit', limit);
    const all = fingerprints(await sorted('0'));
    expect(all).toHaveLength(inodes.length);
    expect(fingerprints(await sorted('2'))).toEqual(all.slice(0, 2));
  });

  test('inodes ls of one domain shows no other', async () => {
    const first = await json<Inode[]>('inodes', 'ls', '--domain', 'first');
    expect(first.map(({ domain }) => domain)).toEqual(['first', 'first', 'first']);
    expect(await json('inodes', 'ls', '--domain', 'missing')).toEqual([]);
    const table = await ishare('inodes', 'ls', '--domain', 'second');
    expect(table.split('\n')[0]).toMatch(/^FINGERPRINT +DOMAIN +SIZE +IMAGES +OPEN +CACHED +SAVED$/);
    expect(table).not.toContain('first');
  });

  test('images ls shows in which domains an image is attached', async () => {
    const images = await json<{ name: string; path: string; attached_in: string[] }[]>('images', 'ls');
    expect(images.map(({ name, attached_in }) => [name, [...attached_in].sort()])).toEqual([
      ['layer a', ['first']],
      ['layer b', ['', 'first', 'second']],
    ]);
    for (const { path } of images) expect(path.startsWith(`${place.flags.root}/images/`)).toBe(true);
    expect(await ishare('images', 'ls')).toContain('(no domain)');
  });

  test('status sums it up', async () => {
    await repeatedCheck(async () => {
      await readAll();
      expect(await json<Status>('status')).toMatchObject({
        snapshots: 6,
        images: 2,
        attached_images: 4,
        dedup_inodes: 5,
        cached_bytes: 2 * pages(SHARED.length),
        saved_bytes: pages(SHARED.length),
      });
    });
    await repeatedCheck(async () => {
      await readAll();
      expect(await ishare('status')).toContain('32.0 KiB shared, saves 16.0 KiB');
    });
  });

  test('an open file is counted while it is open', async () => {
    const before = (await json<Status>('status')).open_files;
    const handle = await open(`${mounted[0]!.path}/common`);
    expect((await json<Status>('status')).open_files).toBe(before + 1);
    await handle.close();
    expect((await json<Status>('status')).open_files).toBe(before);
  });

  test('output that nobody reads to its end is no error', async () => {
    const line = `${ADMIN} inodes ls --json --address ${place.flags['admin-address']} | head -n 1; exit \${PIPESTATUS[0]}`;
    const { stdout, stderr } = await runCommand('bash', ['-c', line]);
    expect(stdout).toBe('[\n');
    expect(stderr).toBe('');
  });

  test('the snapshots socket given as admin socket is an error that says so', async () => {
    const { exitCode, stderr } = await failure(['status', '--address', place.flags.address]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${place.flags.address} is not the admin socket`);
  });
});
