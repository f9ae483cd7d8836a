import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readMountTable } from '../../linux/mount-table';
import { CtrError } from '../../scripts/containerd/ctr-error';
import { PrivateContainerd } from '../../scripts/containerd/private-containerd';
import { shimsOf } from '../../scripts/containerd/shims';
import { isAlive } from '../../scripts/process/process-table';
import { TemporaryDirectory } from '../../scripts/process/temporary-directory';
import { makeDemandingImage } from './demanding-image';
import { makeNeighbours } from './images';
import { describeTree } from './tree-comparison';

const snapshotter = 'overlayfs';

describe('a private containerd', () => {
  test('imports our archives, runs containers from them and leaves nothing behind', async () => {
    await using directory = await TemporaryDirectory.create();
    const [image] = await makeNeighbours(directory.path);
    const namespace = `harness-${process.pid}`;
    const options = { namespace, snapshotter };
    let pids: number[];
    let socket: string;
    {
      await using containerd = await PrivateContainerd.start({ directory: join(directory.path, 'c') });
      socket = containerd.socket;
      expect(await containerd.import(image.archive, options)).toEqual([image.reference]);
      const pid = await containerd.run(image.reference, 'waits', options);
      expect(await containerd.pidOf('waits', options)).toBe(pid);
      const [shared] = image.shared;
      const sum = await containerd.exec('waits', { ...options, command: ['/bin/md5sum', shared!.path] });
      expect(sum).toContain(shared!.path);
      pids = [containerd.pid, pid, ...(await shimsOf(socket)).map((shim) => shim.pid)];
      expect(pids).toHaveLength(3);
    }
    for (const pid of pids) expect(await isAlive(pid)).toBe(false);
    expect(await shimsOf(socket)).toEqual([]);
    const targets = (await readMountTable()).map(({ target }) => target);
    expect(targets.filter((target) => target.startsWith(directory.path))).toEqual([]);
    expect((await readdir('/sys/fs/cgroup')).includes(namespace)).toBe(false);
  });

  test('ends the containers of a containerd that crashed', async () => {
    await using directory = await TemporaryDirectory.create();
    const [image] = await makeNeighbours(directory.path);
    const options = { namespace: `harness-crash-${process.pid}`, snapshotter };
    let pid: number;
    {
      await using containerd = await PrivateContainerd.start({ directory: join(directory.path, 'c') });
      await containerd.import(image.archive, options);
      pid = await containerd.run(image.reference, 'waits', options);
      await containerd.crash();
      expect(await isAlive(pid)).toBe(true);
    }
    expect(await isAlive(pid)).toBe(false);
  });

  test.each(['stop', 'crash'] as const)('finds its containers again after a %s', async (end) => {
    await using directory = await TemporaryDirectory.create();
    const [image] = await makeNeighbours(directory.path);
    const options = { namespace: `harness-again-${process.pid}`, snapshotter };
    let pids: number[];
    {
      await using containerd = await PrivateContainerd.start({ directory: join(directory.path, 'c') });
      await containerd.import(image.archive, options);
      const pid = await containerd.run(image.reference, 'before', options);
      const first = containerd.pid;
      await containerd[end]();
      expect(await isAlive(first)).toBe(false);
      await containerd.restart();
      expect(containerd.pid).not.toBe(first);
      expect(await containerd.pidOf('before', options)).toBe(pid);
      expect(await containerd.exec('before', { ...options, command: ['/bin/ls', '/data'] })).toContain(
        'own-1',
      );
      await containerd.removeContainer('before', options);
      expect(await isAlive(pid)).toBe(false);
      const second = await containerd.run(image.reference, 'after', options);
      await containerd[end]();
      await containerd.restart();
      pids = [second, containerd.pid, ...(await shimsOf(containerd.socket)).map((shim) => shim.pid)];
      expect(pids).toHaveLength(3);
    }
    for (const pid of pids) expect(await isAlive(pid)).toBe(false);
  });

  test('is not started twice', async () => {
    await using directory = await TemporaryDirectory.create();
    await using containerd = await PrivateContainerd.start({ directory: join(directory.path, 'c') });
    await expect(containerd.restart()).rejects.toThrow('still running');
  });

  test('tells containerd’s errors apart and carries their words', async () => {
    await using directory = await TemporaryDirectory.create();
    await using containerd = await PrivateContainerd.start({ directory: join(directory.path, 'c') });
    const options = { namespace: `harness-errors-${process.pid}` };
    const error = await containerd
      .ctr(['snapshots', 'remove', 'absent'], options)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(CtrError);
    expect((error as CtrError).kind).toBe('not-found');
    expect((error as CtrError).stderr).toContain('absent');
  });

  test('reports a snapshotter that nobody serves as a typed error, within its time limit', async () => {
    await using directory = await TemporaryDirectory.create();
    const [image] = await makeNeighbours(directory.path);
    await using containerd = await PrivateContainerd.start({
      directory: join(directory.path, 'c'),
      proxies: [{ name: 'nobody', socket: join(directory.path, 'nobody.sock') }],
    });
    const options = { namespace: `harness-nobody-${process.pid}`, snapshotter: 'nobody', timeLimit: 20_000 };
    await expect(containerd.import(image.archive, options)).rejects.toBeInstanceOf(CtrError);
  });

  test('mounts an image whose layers hold everything that layers can hold', async () => {
    await using directory = await TemporaryDirectory.create();
    const image = await makeDemandingImage(directory.path);
    await using containerd = await PrivateContainerd.start({ directory: join(directory.path, 'c') });
    const options = { namespace: `harness-demanding-${process.pid}`, snapshotter };
    await containerd.import(image.archive, options);
    const root = join(directory.path, 'root');
    await containerd.mountRoot(image.reference, root, options);
    const tree = await describeTree(root);
    await containerd.unmountRoot(root, options);
    expect(tree.has('goes/with-directory')).toBe(false);
    expect(tree.has('goes/is-back')).toBe(true);
    expect([...tree.keys()].filter((name) => name.startsWith('opaque/'))).toEqual(['opaque/visible']);
    expect([...tree.keys()].filter((name) => name.includes('.wh.'))).toEqual([]);
    expect(tree.get('becomes-directory')?.type).toBe('directory');
    expect(tree.get('becomes-file')?.type).toBe('file');
    expect(tree.get('kinds/hard-link')?.linkedWith).toBe('kinds/file-4097');
    expect(tree.get('kinds/large-minor')?.type).toBe('character device');
    expect(tree.get('owners/1-3000000000')?.owner).toBe('1:3000000000');
    // containerd itself moves times before 1970 to its beginning.
    expect(tree.get('times/at--1000000')?.modified).toBe('0');
    expect(tree.get('times/at-1234567890.5')?.modified).toBe('1234567890500000000');
    expect(tree.has(Buffer.from('names/\xff\xfe\x80', 'latin1').toString('latin1'))).toBe(true);
    expect(Object.keys(tree.get('xattrs/acl')?.xattrs ?? {})).toContain('system.posix_acl_access');
    expect(Object.keys(tree.get('xattrs/default-acl')?.xattrs ?? {})).toContain('system.posix_acl_default');
    expect(tree.get('xattrs/user')?.xattrs).toMatchObject({
      'user.binary': '0001ff0a3d',
      'user.plain': '76616c7565',
    });
    expect(tree.get('xattrs/capability')?.xattrs).toHaveProperty(['security.capability']);
  });
});

test('a temporary directory goes with what was left in it', async () => {
  let path: string;
  {
    await using directory = await TemporaryDirectory.create();
    ({ path } = directory);
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  }
  await expect(stat(path)).rejects.toThrow('ENOENT');
});
