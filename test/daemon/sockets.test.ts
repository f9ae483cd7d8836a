import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { access, chmod, lstat, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { runCommand } from '../../scripts/process/command';
import { SnapshotsConnection } from '../harness/snapshots-connection';
import { accepts, DaemonPlace, isSocket, modeOf } from './daemon-place';
import { LONG } from '../../linux/testing/long-trials';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create();
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

const bothSockets = [['address'], ['admin-address']] as const;

async function serverAt(socket: string): Promise<Server> {
  await mkdir(path.dirname(socket), { recursive: true });
  const server = createServer((connection) => connection.end());
  server.listen(socket);
  await once(server, 'listening');
  return server;
}

/** Leaves the socket file of a server that is gone, as kill -9 does. */
async function staleSocketAt(socket: string): Promise<void> {
  const daemon = await place.start();
  daemon.signal('SIGKILL');
  await daemon.waitForExit(10_000);
  expect(await isSocket(socket)).toBe(true);
}

describe.each(bothSockets)('--%s', (flag) => {
  test('on which another server answers is refused and left alone', async () => {
    const socket = place.flags[flag];
    const server = await serverAt(socket);
    try {
      const { exitCode, stderr } = await place.refusal();
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`ishare-snapshotter: ${socket}: a server answers on this socket already\n`);
      expect(await accepts(socket)).toBe(true);
      expect(await place.sockets()).toEqual([path.basename(socket)]);
      expect(await place.mounts()).toEqual([]);
    } finally {
      server.close();
    }
  });

  test('that a dead server left is replaced', async () => {
    const socket = place.flags[flag];
    await staleSocketAt(socket);
    const { ino: before } = await lstat(socket);
    await place.start();
    expect((await lstat(socket)).ino).not.toBe(before);
    expect(await accepts(socket)).toBe(true);
  });

  test('where a regular file lies is refused, and the file is kept', async () => {
    const socket = place.flags[flag];
    await mkdir(path.dirname(socket), { recursive: true });
    await writeFile(socket, 'precious');
    const { exitCode, stderr } = await place.refusal();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`ishare-snapshotter: ${socket} exists and is not a socket\n`);
    expect(await readFile(socket, 'utf8')).toBe('precious');
    expect(await place.mounts()).toEqual([]);
  });

  test('that is a directory is refused', async () => {
    const socket = place.flags[flag];
    await mkdir(socket, { recursive: true });
    const { exitCode, stderr } = await place.refusal();
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${socket} exists and is not a socket\n`);
    expect(await place.mounts()).toEqual([]);
  });

  test('that is longer than a socket path may be is refused', async () => {
    const long = place.in('x'.repeat(100), 's.sock');
    const { exitCode, stderr } = await place.refusal({ flags: { [flag]: long } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(long);
    expect(stderr).toContain('at most 107');
    expect(await place.mounts()).toEqual([]);
    expect(await place.sockets()).toEqual([]);
  });

  test('in a directory that is missing gets it made', async () => {
    const deep = place.in('a', 'b', 'c', `${flag}.sock`);
    await place.start({ flags: { [flag]: deep } });
    expect(await accepts(deep)).toBe(true);
  });

  test('below a regular file is refused', async () => {
    const below = `${place.flags.config}/s.sock`;
    const { exitCode, stderr } = await place.refusal({ flags: { [flag]: below } });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`ishare-snapshotter: --${flag} ${below}: the socket cannot be made: `);
    expect(stderr).toContain(`mkdir '${place.flags.config}'`);
    expect(await place.mounts()).toEqual([]);
  });

  test('is usable by its owner alone, and gone with the daemon', async () => {
    const daemon = await place.start();
    expect(await modeOf(place.flags[flag])).toBe('600');
    await daemon.stop(20_000);
    await expect(access(place.flags[flag])).rejects.toThrow('ENOENT');
  });
});

/** Whether a user who is not root can connect: 'connected', or the code of the error. */
async function connectAsNobody(socket: string): Promise<string> {
  const program = `require('node:net').connect(process.argv[1])
    .on('connect', function () { console.log('connected'); this.destroy(); })
    .on('error', (error) => console.log(error.code));`;
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--'];
  const { stdout } = await runCommand('setpriv', [...nobody, process.execPath, '-e', program, socket], {
    timeLimit: 20_000,
  });
  return stdout.trim();
}

test.each(bothSockets)('another user cannot connect to --%s', async (flag) => {
  // Everybody may come as far as the socket, so that it is what keeps them out.
  await chmod(place.path, 0o711);
  await place.start();
  const socket = place.flags[flag];
  expect(await connectAsNobody(socket)).toBe('EACCES');
  await chmod(socket, 0o666);
  expect(await connectAsNobody(socket)).toBe('connected');
});

test('one path for both sockets is refused', async () => {
  const { exitCode, stderr } = await place.refusal({ flags: { 'admin-address': place.flags.address } });
  expect(exitCode).toBe(1);
  expect(stderr).toContain(place.flags.address);
  expect(await place.sockets()).toEqual([]);
  expect(await place.mounts()).toEqual([]);
});

const ROUNDS = LONG ? 20 : 6;

test('the snapshots socket is there only once the server answers on it', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    await rm(place.flags.address, { force: true });
    const daemon = place.launch();
    while (!existsSync(place.flags.address)) {
      expect(daemon.running).toBe(true);
      await sleep(1);
    }
    using client = new SnapshotsConnection(place.flags.address);
    expect(await client.list()).toEqual([]);
    // Everything else is in place by then.
    expect(await accepts(place.flags['admin-address'])).toBe(true);
    // Half of the daemons leave their sockets behind.
    if (round % 2 === 0) daemon.signal('SIGKILL');
    else daemon.signal('SIGTERM');
    expect(await daemon.waitForExit(20_000)).toBe(true);
  }
}, 120_000);
