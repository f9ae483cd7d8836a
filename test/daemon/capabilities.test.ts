import { chmod, chown, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FileUser } from '../../ishare/testing/file-user';
import { eventually } from '../../linux/testing/eventually';
import type { BackgroundProcess } from '../../scripts/process/background-process';
import { IshareCommand } from '../harness/ishare-command';
import { mountSnapshot } from '../harness/mounting';
import { failureOf, SnapshotsConnection } from '../harness/snapshots-connection';
import { CHECKOUT, DaemonPlace } from './daemon-place';

const SETTINGS = 'erofs_layers = true\n[domains]\ndefault = "one"\n';
const READY_MADE = join(CHECKOUT, 'test', 'fixtures', 'erofs', 'plain-fp.erofs');
const SECRET = 'of one user alone '.repeat(10_000);
const OWNER = 1000;
const OTHER = 1001;
/** Of the root directory: setgid, and for a group that the daemon is not in. */
const ROOT_MODE = 0o2775;
const ACTIVE = 'default/9/active';

let place: DaemonPlace;
let named: readonly string[];

beforeAll(async () => {
  const unit = await readFile(join(CHECKOUT, 'config', 'ishare-snapshotter.service'), 'utf8');
  named = [...unit.matchAll(/^CapabilityBoundingSet=(.*)$/gm)].flatMap(([, names = '']) => names.split(' '));
  // What begins with ~ would be taken away from all capabilities.
  for (const name of named) expect(name).toMatch(/^CAP_[A-Z_]+$/);
});

beforeEach(async () => {
  place = await DaemonPlace.create(SETTINGS);
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

/** A command that runs the daemon with no capabilities but these, as systemd does. */
function limitedTo(capabilities: readonly string[]): readonly string[] {
  const added = capabilities.map((name) => `,+${name.replace('CAP_', '').toLowerCase()}`).join('');
  return ['setpriv', `--bounding-set=-all${added}`, '--inh-caps=-all', '--no-new-privs', '--'];
}

function connect(): SnapshotsConnection {
  return new SnapshotsConnection(place.flags.address);
}

/** What the users of a container leave in a directory, which nobody but they may read, or delete from. */
async function awkwardFiles(directory: string): Promise<void> {
  const write = async (name: string, owner: number, mode: number): Promise<void> => {
    const file = join(directory, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, SECRET);
    await chown(file, owner, owner);
    await chmod(file, mode);
  };
  await write('secret', OWNER, 0);
  await write('private/secret', OWNER, 0o600);
  await chown(join(directory, 'private'), OWNER, OWNER);
  await chmod(join(directory, 'private'), 0o700);
  await write('sticky/others', OTHER, 0o600);
  await chown(join(directory, 'sticky'), OWNER, OWNER);
  await chmod(join(directory, 'sticky'), 0o1777);
}

async function commitAwkward(client: SnapshotsConnection): Promise<void> {
  const [mount] = await client.prepare('default/1/extract layer');
  await awkwardFiles(mount!.source);
  await chown(mount!.source, OWNER, OWNER);
  await chmod(mount!.source, ROOT_MODE);
  await client.commit('layer', 'default/1/extract layer');
}

/** The upper directory of the newest active snapshot. */
async function newestUpper(): Promise<string> {
  const ids = (await readdir(place.in('root', 'snapshots'))).map(Number);
  return place.in('root', 'snapshots', String(Math.max(...ids)), 'fs');
}

async function crash(daemon: BackgroundProcess): Promise<void> {
  daemon.signal('SIGKILL');
  expect(await daemon.waitForExit(10_000)).toBe(true);
}

async function takenOver({ logFile }: BackgroundProcess): Promise<void> {
  await eventually('the mounts were taken over', async () =>
    (await readFile(logFile, 'utf8')).includes('"takenOver":true'),
  );
}

test('with the capabilities that the unit names, everything works', async () => {
  const prefix = limitedTo(named);
  const daemon = await place.start({ prefix });
  const status = await readFile(`/proc/${daemon.pid}/status`, 'utf8');
  expect(/^CapEff:\t(.*)$/m.exec(status)?.[1]).toBe(/^CapBnd:\t(.*)$/m.exec(status)?.[1]);
  using client = connect();
  await commitAwkward(client);
  const mounts = await client.prepare(ACTIVE, 'layer');
  const upper = await newestUpper();
  expect(await stat(upper)).toMatchObject({ uid: OWNER, gid: OWNER, mode: 0o040000 | ROOT_MODE });
  {
    using rootfs = await mountSnapshot(mounts, place.in('rootfs'));
    await mkdir(join(rootfs.path, 'new'));
    await awkwardFiles(join(rootfs.path, 'new'));
    await using user = await FileUser.open(join(rootfs.path, 'private', 'secret'));
    await crash(daemon);
    const next = await place.start({ prefix });
    await takenOver(next);
    expect((await user.read(0, SECRET.length)).toString()).toBe(SECRET);
    const { passthrough, dedup_inodes: shared } = await new IshareCommand(
      place.flags['admin-address'],
    ).status();
    expect({ passthrough, shared }).toEqual({ passthrough: true, shared: 1 });
  }
  await client.remove(ACTIVE);
  await client.remove('layer');
  await client.cleanup();
  await eventually('it is deleted', async () => (await readdir(place.in('root', 'trash'))).length === 0);

  await client.prepare('default/2/extract-1 ready', '');
  await copyFile(READY_MADE, join(dirname(await newestUpper()), 'layer.erofs'));
  await client.commit('ready', 'default/2/extract-1 ready');
  const images = new IshareCommand(place.flags['admin-address']);
  await eventually('the ready-made image is verified', async () =>
    (await images.images()).some(({ name, state }) => name === 'ready' && state === 'verified'),
  );
});

/** What fails without each of them. */
const losses: Readonly<Record<string, (prefix: readonly string[]) => Promise<void>>> = {
  CAP_SYS_ADMIN: async (prefix) => {
    expect((await place.refusal({ prefix })).stderr).toContain('CAP_SYS_ADMIN is missing');
  },
  CAP_DAC_OVERRIDE: async (prefix) => {
    await place.start({ prefix });
    using client = connect();
    expect((await failureOf(commitAwkward(client))).details).toContain('EACCES');
  },
  CAP_CHOWN: async (prefix) => {
    await place.start({ prefix });
    using client = connect();
    await commitAwkward(client);
    expect((await failureOf(client.prepare(ACTIVE, 'layer'))).details).toContain('EPERM');
  },
  CAP_FOWNER: async (prefix) => {
    await place.start({ prefix });
    using client = connect();
    await commitAwkward(client);
    expect((await failureOf(client.prepare(ACTIVE, 'layer'))).details).toContain('EPERM');
  },
  CAP_FSETID: async (prefix) => {
    await place.start({ prefix });
    using client = connect();
    await commitAwkward(client);
    await client.prepare(ACTIVE, 'layer');
    expect((await stat(await newestUpper())).mode & 0o7777).toBe(ROOT_MODE & 0o777);
  },
  CAP_SYS_NICE: async (prefix) => {
    const { logFile } = await place.start({ prefix });
    expect(await readFile(logFile, 'utf8')).toMatch(/requests wait for their turn.*EPERM/);
  },
  CAP_SYS_PTRACE: async (prefix) => {
    const unrestricted = await place.start();
    await crash(unrestricted);
    const { exitCode, stderr } = await place.refusal({ prefix });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/process \d+ keeps the mounts.*CAP_SYS_PTRACE/);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    await takenOver(await place.start({ prefix: limitedTo(named) }));
  },
};

test('of each capability that the unit names it is known what it is for', () => {
  expect([...named].sort()).toEqual(Object.keys(losses).sort());
});

test.each(Object.entries(losses))('without %s something fails', async (name, loss) => {
  await loss(limitedTo(named.filter((other) => other !== name)));
});
