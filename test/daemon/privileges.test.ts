import { DaemonPlace } from './daemon-place';

let place: DaemonPlace;

beforeEach(async () => {
  place = await DaemonPlace.create();
});

afterEach(async () => {
  await place[Symbol.asyncDispose]();
});

/** Runs the daemon in a mount table of its own, after a shell script there. */
const afterMounting = (script: string): string[] => [
  'unshare',
  '--mount',
  'sh',
  '-ec',
  `${script}; exec "$@"`,
  'sh',
];

/** The few devices that Node needs, on an empty /dev. */
const BARE_DEV = [
  'mount -t tmpfs none /dev',
  'mknod -m 666 /dev/null c 1 3',
  'mknod -m 666 /dev/urandom c 1 9',
].join('; ');

test.each([
  [
    'the right to mount',
    ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin', '--'],
    'this process may not mount (CAP_SYS_ADMIN is missing)',
  ],
  ['/dev/fuse', afterMounting(BARE_DEV), '/dev/fuse: the kernel has no FUSE (modprobe fuse)'],
  [
    'a /dev/fuse that may be opened',
    afterMounting(`${BARE_DEV}; mkdir /dev/fuse`),
    '/dev/fuse: it cannot be opened',
  ],
])('without %s there is one clear line, and nothing stays', async (_what, prefix, reason) => {
  const { exitCode, stderr } = await place.refusal({ prefix });
  expect(exitCode).toBe(1);
  expect(stderr).toContain(`${reason}\n`);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  expect(await place.mounts()).toEqual([]);
  expect(await place.sockets()).toEqual([]);
  // The same place serves a daemon that has what it needs.
  await place.start();
});

test('a /dev/fuse that is another device is refused', async () => {
  const { exitCode, stderr } = await place.refusal({
    prefix: afterMounting('mount --bind /dev/null /dev/fuse'),
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('EINVAL');
  expect(await place.mounts()).toEqual([]);
  expect(await place.sockets()).toEqual([]);
});

test('a user who is not root gets a clear line', async () => {
  const { exitCode, stderr } = await place.refusal({
    prefix: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'],
    // Not even the configuration can be read in a directory that is root's alone.
    arguments: ['--root', '/nobody-may-write-here', '--config', '/dev/null'],
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('ishare-snapshotter: --root /nobody-may-write-here: cannot be used: EACCES');
});
