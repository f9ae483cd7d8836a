import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FileUser } from '../../ishare/testing/file-user';
import { readTakeoverState, type TakeoverState } from '../../ishare/takeover/takeover-state';
import { eventually } from '../../linux/testing/eventually';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { BootedSystemd } from '../harness/booted-systemd';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { accepts, CHECKOUT, DAEMON } from './daemon-place';
import { commitFiles } from './layers';

const UNIT = 'ishare-snapshotter.service';
const STATE = '/run/ishare-snapshotter';
const TEST_LIMIT = 60_000;
const CONTENT = randomBytes(8 << 20);
/** More than is read ahead, so that each piece is asked of the daemon. */
const PIECE = 1 << 20;
const WATCHDOG_SECONDS = 5;
/** More starts than systemd allows in ten seconds unless a unit says otherwise. */
const QUICK_KILLS = 6;

let place: TemporaryDirectory;
let systemd: BootedSystemd | undefined;

beforeEach(async () => {
  systemd = undefined;
  place = await TemporaryDirectory.create('ishare-sd');
  const obstacle = await BootedSystemd.obstacle(place.path);
  if (obstacle !== undefined) {
    // What is left then are the tests that kill the daemon alone, as the unit's KillMode would (life.test.ts).
    process.stderr.write(`systemd cannot be booted, so the unit is not tested: ${obstacle}\n`);
    return;
  }
  await installUnit(join(place.path, 'units'));
  systemd = await BootedSystemd.boot(place.path);
}, TEST_LIMIT);

afterEach(async () => {
  await systemd?.[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
}, TEST_LIMIT);

/** The unit as it ships; what is different here stands in a drop-in. */
async function installUnit(units: string): Promise<void> {
  await mkdir(join(units, `${UNIT}.d`), { recursive: true });
  await copyFile(join(CHECKOUT, 'config', UNIT), join(units, UNIT));
  const log = join(place.path, 'daemon.log');
  const lines = [
    '[Service]',
    // Not a minute, for which nobody wants to wait here.
    `WatchdogSec=${WATCHDOG_SECONDS}`,
    'ExecStart=',
    `ExecStart=${DAEMON} --root ${join(place.path, 'root')} --config ${join(place.path, 'config.toml')}`,
    // Where tests run, Node need not be where systemd looks for programs.
    `Environment=PATH=${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    `StandardOutput=append:${log}`,
    `StandardError=append:${log}`,
  ];
  await writeFile(join(units, `${UNIT}.d`, 'here.conf'), `${lines.join('\n')}\n`);
  await writeFile(join(place.path, 'config.toml'), '[domains]\ndefault = "one"\n');
}

const log = (): Promise<string> => readFile(join(place.path, 'daemon.log'), 'utf8');

function connect(booted: BootedSystemd): SnapshotsConnection {
  return new SnapshotsConnection(booted.path(`${STATE}/snapshotter.sock`));
}

/** The main process, as it is called in there. */
async function mainPid(booted: BootedSystemd): Promise<number> {
  return Number(await booted.property(UNIT, 'MainPID'));
}

async function recorded(booted: BootedSystemd): Promise<TakeoverState | undefined> {
  return readTakeoverState(booted.path(STATE));
}

async function killMain(booted: BootedSystemd): Promise<void> {
  await booted.systemctl('kill', '--signal=KILL', '--kill-whom=main', UNIT);
}

/** There is a process that nobody has told to start. */
async function startedAgain(booted: BootedSystemd, before: number): Promise<void> {
  await eventually(
    'systemd has started the daemon again',
    async () => ![0, before].includes(await mainPid(booted)),
    TEST_LIMIT / 2,
  );
}

/** systemd starts it again in the background, so it is asked itself. */
async function answers(booted: BootedSystemd): Promise<void> {
  const socket = booted.path(`${STATE}/snapshotter.sock`);
  await eventually('the daemon answers', () => accepts(socket), TEST_LIMIT / 2);
}

/** Names of the processes in there, but for systemd. */
async function processes(booted: BootedSystemd): Promise<string[]> {
  const pids = (await readdir(booted.path('/proc'))).filter((name) => /^\d+$/.test(name) && name !== '1');
  const names = pids.map((pid) => readFile(booted.path(`/proc/${pid}/cmdline`), 'utf8').catch(() => ''));
  return (await Promise.all(names)).map((name) => name.split('\0')[0] ?? '').filter((name) => name !== '');
}

async function mounts(booted: BootedSystemd): Promise<string[]> {
  const table = await readFile(`/proc/${booted.pid}/mounts`, 'utf8');
  return table.split('\n').filter((line) => line.includes(STATE));
}

test(
  'a file that a container has open is read on through a kill and a planned restart, and a stop leaves nothing',
  async () => {
    if (systemd === undefined) return;
    await systemd.systemctl('start', UNIT);
    const first = await mainPid(systemd);
    const status = await readFile(systemd.path(`/proc/${first}/status`), 'utf8');
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    // containerd sees the mounts that are made here: the unit has no mount namespace of its own.
    const namespaceOf = (pid: number): Promise<string> => readlink(systemd!.path(`/proc/${pid}/ns/mnt`));
    expect(await namespaceOf(first)).toBe(await namespaceOf(1));

    expect(await mounts(systemd)).toHaveLength(1);

    const rootfs = join(place.path, 'rootfs');
    await mkdir(rootfs);
    {
      using client = connect(systemd);
      await commitFiles(client, 'layer', { file: CONTENT });
      const [mount] = await client.prepare('default/9/active', 'layer');
      const options = mount!.options.join(',');
      await systemd.run('mount', '-i', '-n', '-t', mount!.type, '-o', options, mount!.source, rootfs);
    }
    const holder = (await recorded(systemd))!.holder;
    {
      await using user = await FileUser.open(systemd.path(`${rootfs}/file`), 0, TEST_LIMIT);
      const expectPiece = async (index: number): Promise<void> => {
        const piece = await user.read(index * PIECE, PIECE);
        expect(piece.equals(CONTENT.subarray(index * PIECE, (index + 1) * PIECE))).toBe(true);
      };
      await expectPiece(0);

      await killMain(systemd);
      await expectPiece(1);
      await startedAgain(systemd, first);
      await answers(systemd);
      await expectPiece(2);
      expect((await recorded(systemd))!.holder).toEqual(holder);

      await systemd.systemctl('restart', UNIT);
      await expectPiece(3);
      expect((await recorded(systemd))!.holder).toEqual(holder);

      await systemd.systemctl('stop', UNIT);
      expect(await processes(systemd)).toEqual(['ishare-holder']);
      const waiting = expectPiece(4);
      await sleep(100);
      await systemd.systemctl('start', UNIT);
      await waiting;
      expect((await recorded(systemd))!.holder).toEqual(holder);
      expect((await log()).match(/"takenOver":true/g)).toHaveLength(3);
    }

    await systemd.run('umount', rootfs);
    {
      using client = connect(systemd);
      await client.remove('default/9/active');
    }
    await systemd.systemctl('stop', UNIT);
    expect(await systemd.property(UNIT, 'Result')).toBe('success');
    expect(await processes(systemd)).toEqual([]);
    expect(await mounts(systemd)).toEqual([]);
    expect(await recorded(systemd)).toBeUndefined();
  },
  TEST_LIMIT,
);

test(
  'a daemon that is killed again and again is started again all the same',
  async () => {
    if (systemd === undefined) return;
    await systemd.systemctl('start', UNIT);
    {
      using client = connect(systemd);
      await commitFiles(client, 'layer', { file: CONTENT });
    }
    for (let kills = 0; kills < QUICK_KILLS; kills += 1) {
      const pid = await mainPid(systemd);
      await killMain(systemd);
      await startedAgain(systemd, pid);
    }
    await answers(systemd);
    using client = connect(systemd);
    expect((await client.list()).map(({ name }) => name)).toEqual(['layer']);
    await systemd.systemctl('stop', UNIT);
    expect(await processes(systemd)).toEqual([]);
  },
  TEST_LIMIT,
);

test(
  'a daemon that hangs is replaced by one that takes its mounts over',
  async () => {
    if (systemd === undefined) return;
    await systemd.systemctl('start', UNIT);
    const first = await mainPid(systemd);
    // One that does not hang is left alone.
    await sleep(WATCHDOG_SECONDS * 2000);
    expect(await mainPid(systemd)).toBe(first);
    await systemd.systemctl('kill', '--signal=STOP', '--kill-whom=main', UNIT);
    await startedAgain(systemd, first);
    await answers(systemd);
    expect(await log()).toContain('"takenOver":true');
    await systemd.systemctl('stop', UNIT);
    expect(await processes(systemd)).toEqual([]);
  },
  TEST_LIMIT,
);
