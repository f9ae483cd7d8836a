import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OverviewResponse } from '../../proto/admin-messages';
import type { BackgroundProcess } from '../../scripts/process/background-process';
import { eventually } from '../../linux/testing/eventually';
import { IshareCommand } from '../harness/ishare-command';
import { mountSnapshot, type Mounted } from '../harness/mounting';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { repeatedCheck } from '../harness/repeated-check';
import { ADMIN, DaemonPlace } from './daemon-place';
import { commitFiles } from './layers';

const SHARED = 'shared '.repeat(2000);
const BYTES = 16384;

let place: DaemonPlace;
let daemon: BackgroundProcess;
let ishare: IshareCommand;
let client: SnapshotsConnection;
const mounted: Mounted[] = [];

beforeAll(async () => {
  place = await DaemonPlace.create('[domains]\ndefault = "all"\n');
  daemon = await place.start();
  ishare = new IshareCommand(place.flags['admin-address']);
  client = new SnapshotsConnection(place.flags.address);
  await commitFiles(client, 'layer a', { file: SHARED });
  await commitFiles(client, 'layer b', { file: SHARED });
  for (const [key, layer] of [
    ['one', 'layer a'],
    ['two', 'layer b'],
    ['three', 'layer b'],
  ] as const)
    mounted.push(await mountSnapshot(await client.prepare(key, layer), place.in(`rootfs-${key}`)));
});

async function readAll(): Promise<void> {
  for (const { path } of mounted) await readFile(join(path, 'file'));
}

afterAll(async () => {
  for (const rootfs of mounted) rootfs[Symbol.dispose]();
  client[Symbol.dispose]();
  await place[Symbol.asyncDispose]();
});

/** How `ishare top` looks to a user on a terminal (script(1) makes one), who presses keys. */
class Terminal {
  screen = '';
  readonly #child;
  readonly #ended: Promise<unknown>;

  constructor(words: readonly string[]) {
    const top = [ADMIN, 'top', '--delay', '0.2', '--address', place.flags['admin-address'], ...words].join(
      ' ',
    );
    // What the terminal is like afterwards tells whether it was restored.
    const command = `sh -c 'echo top is $$; exec ${top}'; echo exit $?; stty -a`;
    this.#child = spawn('script', ['--quiet', '--flush', '--command', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 40_000,
      killSignal: 'SIGKILL',
    });
    this.#child.stdout.on('data', (text: Buffer) => (this.screen += text.toString()));
    this.#ended = once(this.#child, 'close');
  }

  /** Waits until a text has appeared, from some place on. */
  async shows(text: string, from = 0): Promise<void> {
    await eventually(`"${text}" is on the screen`, () => this.screen.slice(from).includes(text), 20_000);
  }

  press(keys: string): void {
    this.#child.stdin.write(keys);
  }

  get pid(): number {
    return Number(/top is (\d+)/.exec(this.screen)?.[1]);
  }

  /** Waits for the end, and gives the exit code. The terminal must be as it was. */
  async ends(): Promise<number> {
    await this.#ended;
    const after = this.screen.slice(this.screen.lastIndexOf(LEFT));
    expect(after.startsWith(LEFT)).toBe(true);
    expect(after).toMatch(/ icanon[ ;].* echo /s);
    return Number(/exit (\d+)/.exec(after)?.[1]);
  }
}

/** Lines wrap, the cursor is seen, and the former picture is back. */
const LEFT = '\u001b[?7h\u001b[?25h\u001b[?1049l';
const CTRL_C = '\u0003';

test('without a terminal it prints one picture', async () => {
  await repeatedCheck(async () => {
    await readAll();
    const text = await ishare.text('top');
    expect(text).toMatch(/^ishare top: pid \d+, up .*, sharing is full/);
    expect(text).toContain('cached 16.0 KiB, saved 16.0 KiB, 2 images attached, 1 shared inodes');
    expect(text).toContain('\ncontainers by saved\n');
    expect(text).toMatch(/^CONTAINER +DOMAIN +RULE +IMAGES +CACHED +SAVED$/m);
    const rows = text.split('\n').slice(6, 9);
    expect(rows.map((line) => line.split(' ')[0])).toEqual(['one', 'three', 'two']);
  });
});

test.each([
  ['domains', /^DOMAIN +IMAGES/m],
  ['images', /^IMAGE +SIZE/m],
  ['inodes', /^FINGERPRINT +DOMAIN/m],
])('it lists %s', async (by, titles) => {
  const { stdout } = await ishare.run('top', '--by', by, '--sort', 'name', '--batch', '-n', '2', '-d', '0.1');
  expect(stdout).toMatch(titles);
  expect(stdout.match(/^ishare top: /gm)).toHaveLength(2);
  // The second picture has something to compare with.
  expect(stdout).toContain('images mount -, ishare mount -');
  expect(stdout).toMatch(/images mount \d+\.\d, ishare mount \d+\.\d/);
});

test('the sums of all lists agree', async () => {
  const sum = (list: readonly { saved_bytes: number; cached_bytes: number }[]): number[] => [
    list.reduce((total, { cached_bytes }) => total + cached_bytes, 0),
    list.reduce((total, { saved_bytes }) => total + saved_bytes, 0),
  ];
  await repeatedCheck(async () => {
    await readAll();
    const overview = await ishare.json<OverviewResponse>('top', '--by', 'inodes');
    const { status, domains, images, containers, inodes } = overview;
    expect([status.cached_bytes, status.saved_bytes]).toEqual([BYTES, BYTES]);
    for (const list of [domains, images, containers, inodes]) expect(sum(list)).toEqual([BYTES, BYTES]);
    expect(containers.map(({ key, saved_bytes }) => [key, saved_bytes]).sort()).toEqual([
      ['one', BYTES / 2],
      ['three', BYTES / 4],
      ['two', BYTES / 4],
    ]);
  });
});

test('keys choose what is listed and in what order, and q leaves the terminal as it was', async () => {
  const terminal = new Terminal([]);
  await terminal.shows('containers by saved');
  for (const [key, picture] of [
    ['d', 'domains by saved'],
    ['i', 'images by saved'],
    ['p', 'images by cached'],
    ['f', 'inodes by cached'],
    ['n', 'inodes by name'],
    ['c', 'containers by name'],
    ['s', 'containers by saved'],
  ] as const) {
    const from = terminal.screen.length;
    terminal.press(key);
    await terminal.shows(picture, from);
  }
  terminal.press('q');
  expect(await terminal.ends()).toBe(0);
});

test.each([
  ['Ctrl-C', (terminal: Terminal) => terminal.press(CTRL_C), 130],
  ['SIGTERM', (terminal: Terminal) => process.kill(terminal.pid, 'SIGTERM'), 143],
  ['SIGHUP', (terminal: Terminal) => process.kill(terminal.pid, 'SIGHUP'), 129],
])('%s leaves the terminal as it was', async (_how, end, exitCode) => {
  const terminal = new Terminal(['--by', 'domains']);
  await terminal.shows('domains by saved');
  end(terminal);
  expect(await terminal.ends()).toBe(exitCode);
});

test('after --count pictures it ends by itself', async () => {
  const terminal = new Terminal(['--count', '2']);
  expect(await terminal.ends()).toBe(0);
});

test.each([
  [['--delay', '0'], 'from 0.1 to 86400'],
  [['--count', 'many'], 'It is no whole number.'],
  [['--sort', 'colour'], 'saved, cached, name'],
  [['--by', 'users'], 'containers, images, domains, inodes'],
])('%j is an error with the usage', async (words, reason) => {
  const { exitCode, stderr } = await ishare.run('top', ...words);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(reason);
});

test('a daemon that goes away is missed, and found again when it is back', async () => {
  const terminal = new Terminal([]);
  await terminal.shows('containers by saved');
  for (const rootfs of mounted.splice(0)) rootfs[Symbol.dispose]();
  expect(await daemon.stop(20_000)).toBe(true);
  await terminal.shows('no daemon answers on');
  const from = terminal.screen.length;
  daemon = await place.start();
  await terminal.shows('containers by saved', from);
  terminal.press('q');
  expect(await terminal.ends()).toBe(0);
});

test('without a daemon it is an error from the start', async () => {
  const nobody = new IshareCommand(place.in('nobody.sock'));
  const { exitCode, stderr } = await nobody.run('top');
  expect(exitCode).toBe(1);
  expect(stderr).toContain('no daemon answers on');
});
