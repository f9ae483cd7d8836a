import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newerTool } from '../../erofs/testing/erofs-utils';
import { FileUser } from '../../ishare/testing/file-user';
import {
  digestOfBytes,
  fingerprintOf,
  forge,
  hollowOut,
  makeReadyMade,
  shortenFingerprint,
  type Files,
} from '../../ishare/verification/testing/ready-made';
import { writeOciArchive } from '../../scripts/oci/oci-archive';
import { ContainerHost, ownNamespace, topSnapshot, type MountedTree } from '../harness/container-host';
import { logAbout } from '../harness/daemon-log';
import { eventually } from '../../linux/testing/eventually';
import { imageCommand } from '../harness/image-command';
import { Ownership } from '../harness/ownership';
import { noise } from '../harness/noise';
import { storedTrust, verificationEnds } from '../harness/stored-trust';

const place = { namespace: ownNamespace('ready'), snapshotter: 'ishare' };
const SIZE = 100_000;
const GIB = 1024 ** 3;

/** What an image that was built here has, and others claim to have. */
const BUILT: Readonly<Record<string, Buffer>> = Object.fromEntries(
  ['first', 'second', 'third', 'fourth', 'fifth'].map((name) => [name, noise(`victim ${name}`, SIZE)]),
);

let host: ContainerHost;
let ownership: Ownership;
/** The image that was built here, mounted anew for each test. */
let built: MountedTree;
let builtName: string;

beforeAll(async () => {
  host = await ContainerHost.start({ ishare: { domains: { default: 'one' } } });
  const image = await writeOciArchive(
    {
      reference: 'harness.local/built:here',
      layers: [
        {
          entries: Object.entries(BUILT).map(([path, content]) => ({ path, type: 'file' as const, content })),
        },
      ],
      config: {},
      compression: 'none',
    },
    join(host.directory, 'built.tar'),
  );
  await host.import([image], place);
  builtName = topSnapshot(image);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

beforeEach(async () => {
  ownership = new Ownership();
  built = ownership.own(await host.mountTree(builtName, place, 'view'));
});

afterEach(async () => {
  await ownership[Symbol.asyncDispose]();
});

function root(): string {
  return host.daemon('ishare').snapshotter.root;
}

function logOf(name: string): ReturnType<typeof logAbout> {
  return logAbout(host.daemon('ishare').snapshotter.logFile, name);
}

/** A file for an image of this name. */
function imageFile(name: string): string {
  return join(host.directory, `${name}.erofs`);
}

async function importImage(name: string, file = imageFile(name)): Promise<void> {
  const { exitCode, stderr } = await imageCommand(
    ...['import', file, '--name', name, '--containerd', host.containerd.socket],
    ...['--namespace', place.namespace, '--snapshotter', place.snapshotter],
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
}

async function importFiles(name: string, files: Files): Promise<void> {
  await makeReadyMade(imageFile(name), files);
  await importImage(name);
}

async function mounted(name: string): Promise<MountedTree> {
  return ownership.own(await host.mountTree(name, place, 'view'));
}

/** Keeps the verifier busy until it is released: one long hole takes it a minute and more. */
async function keepVerifierBusy(name: string): Promise<() => Promise<void>> {
  await makeReadyMade(imageFile(name), { hollow: name });
  await hollowOut(imageFile(name), 'hollow', 60 * GIB);
  await importImage(name);
  return async () => {
    await host.containerd.removeSnapshot(name, place);
    await collectGarbage();
    expect(storedTrust(root(), name)).toBeUndefined();
  };
}

/** containerd removes snapshots from their snapshotter only then. */
async function collectGarbage(): Promise<void> {
  await host.containerd.ctr(['leases', 'create', '--id', 'collect'], place);
  await host.containerd.ctr(['leases', 'delete', '--sync', 'collect'], place);
}

/** READs that reading a file costs, whose content must be right. */
async function readsOf(tree: MountedTree, path: string, content: Buffer): Promise<number> {
  const { ishare } = host.daemon('ishare');
  const before = await ishare.reads();
  expect(digestOfBytes(await readFile(join(tree.path, path)))).toBe(digestOfBytes(content));
  return (await ishare.reads()) - before;
}

/**
 * Both files have right bytes, and reading the second one right after the first costs no READ. Others on this machine may
 * drop its caches in between, and the engine learns of a verdict a moment after it is stored.
 */
async function expectShared(name: string, tree: MountedTree, path: string): Promise<void> {
  await eventually(`${path} shares the pages of ${name}`, async () => {
    await readsOf(built, name, BUILT[name]!);
    return (await readsOf(tree, path, BUILT[name]!)) === 0;
  });
}

/** Dedup inodes of the test's size that somebody has open. */
async function openInodes(): Promise<number> {
  const inodes = await host.daemon('ishare').ishare.inodes('one');
  return inodes.filter(({ size, open_files }) => size === SIZE && open_files > 0).length;
}

type Maker = (target: string, files: Readonly<Record<string, Buffer>>) => Promise<unknown>;
const mkfs = newerTool('mkfs.erofs');
const makers: [string, Maker][] = [['our writer', makeReadyMade]];
if (mkfs !== undefined) {
  makers.push([
    'mkfs.erofs',
    async (target, files) => {
      const directory = `${target}.source`;
      await mkdir(directory);
      for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
      mkfs.run('-zlz4', '--xattr-inode-digest=user.any.name', target, directory);
    },
  ]);
}

test.each(makers)(
  'an image of %s is verified, and shares pages with one that was built here',
  async (maker, make) => {
    const name = `right-${maker.replaceAll(/\W/g, '-')}`;
    const other = noise(name, SIZE);
    await make(imageFile(name), { copy: BUILT['first']!, other });
    await importImage(name);
    expect(await verificationEnds(root(), name)).toEqual({ trust: 'verified', reason: '' });
    const tree = await mounted(name);
    await readsOf(built, 'first', BUILT['first']!);
    expect(await readsOf(tree, 'copy', BUILT['first']!)).toBe(0);
    expect(await readsOf(tree, 'other', other)).toBeGreaterThan(0);
    expect(await logOf(name)).toMatchObject([{ level: 'info', files: 2, bytes: 2 * SIZE }]);
  },
);

test('what is not verified has inodes of its own, and moves once no handle is open', async () => {
  const release = await keepVerifierBusy('busy-move');
  const content = BUILT['first']!;
  await importFiles('late', { copy: content });
  await importFiles('later', { copy: content });
  const late = await mounted('late');
  const later = await mounted('later');
  await readsOf(built, 'first', content);
  expect(await readsOf(late, 'copy', content)).toBeGreaterThan(0);
  expect(await readsOf(later, 'copy', content)).toBeGreaterThan(0);
  await using holder = await FileUser.open(join(late.path, 'copy'));
  expect(await holder.map('private')).toBe(true);
  expect(storedTrust(root(), 'late')?.trust).toBe('unverified');

  await release();
  for (const name of ['late', 'later']) expect((await verificationEnds(root(), name)).trust).toBe('verified');
  await expectShared('first', later, 'copy');
  // What holds the handle stays where it is, and so does whatever opens the file beside it.
  expect((await holder.read(0, SIZE)).equals(content)).toBe(true);
  await readsOf(late, 'copy', content);
  expect(await openInodes()).toBe(1);
  await holder.close();
  await eventually('the file is closed', async () => (await openInodes()) === 0);
  expect((await holder.mapped(0, SIZE)).equals(content)).toBe(true);
  await expectShared('first', late, 'copy');
  expect((await holder.mapped(0, SIZE)).equals(content)).toBe(true);
});

test('a forged fingerprint poisons nobody, in whatever order files are opened', async () => {
  const evil = (name: string): Buffer => noise(`evil ${name}`, SIZE);
  const names = Object.keys(BUILT);
  const release = await keepVerifierBusy('busy-forged');
  await makeReadyMade(imageFile('forged'), Object.fromEntries(names.map((name) => [name, evil(name)])));
  for (const name of names) await forge(imageFile('forged'), name, fingerprintOf(BUILT[name]!));
  await importImage('forged');
  const forged = await mounted('forged');
  const read = async (tree: MountedTree, name: string): Promise<void> => {
    const content = tree === forged ? evil(name) : BUILT[name]!;
    expect(digestOfBytes(await readFile(join(tree.path, name)))).toBe(digestOfBytes(content));
  };

  // Before it is verified: the forged file first, the other one first, both open at once.
  await read(forged, 'first');
  await read(built, 'first');
  await read(built, 'second');
  await read(forged, 'second');
  await using forgedUser = await FileUser.open(join(forged.path, 'third'));
  await using builtUser = await FileUser.open(join(built.path, 'third'));
  const bothRead = async (): Promise<void> => {
    expect((await forgedUser.read(0, SIZE)).equals(evil('third'))).toBe(true);
    expect((await builtUser.read(0, SIZE)).equals(BUILT['third']!)).toBe(true);
  };
  await bothRead();
  expect(await forgedUser.map('private')).toBe(true);

  await release();
  const { trust, reason } = await verificationEnds(root(), 'forged');
  expect(trust).toBe('quarantined');
  const [entry, ...others] = await logOf('forged');
  expect(others).toEqual([]);
  const file = String(entry?.['file']);
  const forgery = {
    claimed: digestOfBytes(BUILT[file.slice(1)]!),
    actual: digestOfBytes(evil(file.slice(1))),
  };
  expect(entry).toMatchObject({ level: 'error', file, ...forgery });
  expect(reason).toBe(`${file} claims sha256:${forgery.claimed}, its content has sha256:${forgery.actual}`);

  // After it was quarantined: handles that are still open, and all orders again.
  await bothRead();
  expect((await forgedUser.mapped(0, SIZE)).equals(evil('third'))).toBe(true);
  await read(forged, 'fourth');
  await read(built, 'fourth');
  await read(built, 'fifth');
  await read(forged, 'fifth');
  for (const name of names) {
    await read(forged, name);
    await read(built, name);
  }
  await bothRead();
});

test('a quarantined image is served with its own bytes when it is attached later', async () => {
  const evil = noise('evil later', SIZE);
  await makeReadyMade(imageFile('forged-later'), { file: evil });
  await forge(imageFile('forged-later'), 'file', fingerprintOf(BUILT['first']!));
  await importImage('forged-later');
  expect((await verificationEnds(root(), 'forged-later')).trust).toBe('quarantined');
  const forged = await mounted('forged-later');
  await readsOf(built, 'first', BUILT['first']!);
  expect(await readsOf(forged, 'file', evil)).toBeGreaterThan(0);
  await readsOf(built, 'first', BUILT['first']!);
  expect(await logOf('forged-later')).toHaveLength(1);
});

test('a fingerprint of a file of another size is one of another content', async () => {
  const longer = noise('longer', SIZE + 4096);
  await makeReadyMade(imageFile('size'), { file: longer });
  await forge(imageFile('size'), 'file', fingerprintOf(BUILT['first']!));
  await importImage('size');
  expect((await verificationEnds(root(), 'size')).trust).toBe('quarantined');
  const tree = await mounted('size');
  await readsOf(tree, 'file', longer);
  await readsOf(built, 'first', BUILT['first']!);
});

test('malformed fingerprints leave one line, and their files are not shared', async () => {
  const content = BUILT['first']!;
  const other = BUILT['second']!;
  await makeReadyMade(imageFile('malformed'), { short: content, weak: other, right: BUILT['third']! });
  await shortenFingerprint(imageFile('malformed'), 'short');
  const md5 = createHash('md5').update(other).digest('hex');
  await forge(imageFile('malformed'), 'weak', Buffer.from(`md5:${md5}`.padEnd(39, '0')));
  await importImage('malformed');
  expect(await verificationEnds(root(), 'malformed')).toEqual({ trust: 'verified', reason: '' });
  const tree = await mounted('malformed');
  await readsOf(built, 'first', content);
  expect(await readsOf(tree, 'short', content)).toBeGreaterThan(0);
  await readsOf(built, 'second', other);
  expect(await readsOf(tree, 'weak', other)).toBeGreaterThan(0);
  await expectShared('third', tree, 'right');
  const warnings = (await logOf('malformed')).filter(({ level }) => level === 'warn');
  expect(warnings).toMatchObject([{ files: 2, first: expect.stringMatching(/^\/(short|weak)$/) as string }]);
});

test('a daemon that ends in the middle of a verification begins it again', async () => {
  const release = await keepVerifierBusy('busy-restart');
  await importFiles('resumed', { copy: BUILT['first']! });
  await ownership[Symbol.asyncDispose]();
  const { snapshotter } = host.daemon('ishare');
  expect(await snapshotter.stop()).toBe(true);
  expect(snapshotter.exitCode).toBe(0);
  expect(storedTrust(root(), 'resumed')?.trust).toBe('unverified');
  await host.restart('ishare');
  expect(storedTrust(root(), 'resumed')?.trust).toBe('unverified');
  await release();
  expect((await verificationEnds(root(), 'resumed')).trust).toBe('verified');
});

test('an image that is removed while it is verified is no error', async () => {
  const release = await keepVerifierBusy('busy-removed');
  await release();
  await importFiles('next', { file: 'next' });
  expect((await verificationEnds(root(), 'next')).trust).toBe('verified');
  expect(await logOf('busy-removed')).toEqual([]);
});
