import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connectionServers } from '../../fuse/connection-servers';
import { readTakeoverState } from '../../ishare/takeover/takeover-state';
import { readMountTable } from '../../linux/mount-table';
import { Kind } from '../../proto/snapshots';
import { InodeOrder, type OverviewResponse } from '../../proto/admin-messages';
import { AdminConnection } from '../../cmd/ishare/admin-connection';
import { shimsOf } from '../../scripts/containerd/shims';
import type { ContainerHost, Place } from '../harness/container-host';
import { readRows, type DatabaseRows } from '../harness/database-rows';
import type { SoakModel } from './soak-model';

/** What there is, at any moment at which nothing is under way. Lists are sorted. */
export interface Counts {
  /** As `KIND NAME PARENT`: what containerd knows, and the rows of the daemon's database. */
  readonly snapshots: readonly string[];
  readonly rows: readonly string[];
  /** Names of images as `ishare images ls` tells them. */
  readonly images: readonly string[];
  /** Files and directories below ROOT that no row owns, and such as a row misses. */
  readonly unowned: readonly string[];
  readonly missing: readonly string[];
  /** Containers as the daemon tells of them. */
  readonly running: readonly string[];
  readonly attachedLayers: number;
  /** Targets of mounts below the host's directory. */
  readonly mounts: readonly string[];
  readonly tasks: readonly string[];
  readonly shims: readonly string[];
  readonly cgroups: readonly string[];
  /** Processes that have the images mount's connection, as the names of their roles. */
  readonly servers: readonly string[];
}

const KINDS = new Map<number, string>([
  [Kind.VIEW, 'View'],
  [Kind.ACTIVE, 'Active'],
  [Kind.COMMITTED, 'Committed'],
]);

/** Where the containers of a namespace have their roots. */
function rootsOf(host: ContainerHost, { namespace }: Place): string {
  return join(host.containerd.directory, 'state', 'io.containerd.runtime.v2.task', namespace);
}

export function expectedCounts(model: SoakModel, host: ContainerHost, place: Place): Counts {
  const { state } = host.daemon(place.snapshotter).snapshotter;
  const snapshots = model.snapshots();
  const containers = [...model.containers.keys()].sort();
  const committed = snapshots.map((line) => line.split(' ')).filter(([kind]) => kind === 'Committed');
  return {
    snapshots,
    rows: snapshots,
    images: committed.map(([, name = '']) => name).sort(),
    unowned: [],
    missing: [],
    running: model.runningSnapshots(),
    attachedLayers: model.attachedLayers(),
    mounts: [
      join(state, 'images'),
      ...containers.map((id) => join(rootsOf(host, place), id, 'rootfs')),
    ].sort(),
    tasks: containers.map((id) => `${id} RUNNING`),
    shims: containers,
    cgroups: containers,
    servers: ['daemon', 'holder'],
  };
}

export async function actualCounts(host: ContainerHost, place: Place): Promise<Counts> {
  const { snapshotter } = host.daemon(place.snapshotter);
  const { root, state, adminSocket } = snapshotter;
  const rows = readRows(join(root, 'metadata.db'));
  const files = await compareFiles(root, rows);
  const overview = await overviewOf(adminSocket);
  const mounts = await readMountTable();
  const images = mounts.find(({ target }) => target === join(state, 'images'));
  const holder = (await readTakeoverState(state))?.holder.pid;
  const roles = new Map([
    [snapshotter.pid, 'daemon'],
    [holder, 'holder'],
  ]);
  const servers = images === undefined ? [] : await connectionServers(Number(images.device.split(':')[1]));
  const listed = await host.containerd.ctr(['snapshots', '--snapshotter', place.snapshotter, 'list'], place);
  return {
    snapshots: tableRows(listed)
      .map(([name, parent, kind]) =>
        kind === undefined ? `${parent} ${name} ` : `${kind} ${name} ${parent}`,
      )
      .sort(),
    rows: rows.snapshots
      .map(({ name, kind, parent }) => `${KINDS.get(kind)} ${plainName(name)} ${plainName(parent ?? '')}`)
      .sort(),
    images: overview.images.map(({ name }) => plainName(name)).sort(),
    ...files,
    running: overview.containers
      .map(({ key, domain, earlier_id: earlier }) =>
        [plainName(key), domain, earlier ? 'earlier' : 'current'].join(' '),
      )
      .sort(),
    attachedLayers: overview.status.attached_images,
    mounts: mounts
      .map(({ target }) => target)
      .filter((target) => target.startsWith(`${host.directory}/`))
      .sort(),
    tasks: (await host.containerd.tasks(place)).map(({ id, status }) => `${id} ${status}`).sort(),
    shims: (await shimsOf(host.containerd.socket)).map(({ id }) => id).sort(),
    cgroups: await cgroupsOf(place.namespace),
    servers: servers.map((pid) => roles.get(pid) ?? `process ${pid}`).sort(),
  };
}

export async function overviewOf(adminSocket: string): Promise<OverviewResponse> {
  using connection = new AdminConnection(adminSocket);
  return await connection.call<OverviewResponse>((client, ...rest) =>
    client.Overview({ order: InodeOrder.SAVED, limit: 0 }, ...rest),
  );
}

/** containerd puts its namespace and a number before each name. */
function plainName(name: string): string {
  return name.split('/').slice(2).join('/');
}

function tableRows(text: string): [string, string, string | undefined][] {
  const [, ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [first = '', second = '', third] = line.trim().split(/\s+/);
    return [first, second, third];
  });
}

async function compareFiles(
  root: string,
  { snapshots, merged }: DatabaseRows,
): Promise<Pick<Counts, 'unowned' | 'missing'>> {
  const expected = snapshots.flatMap(({ id, kind }) =>
    kind === Kind.COMMITTED ? [`images/${id}.digests`, `images/${id}.erofs`] : [`snapshots/${id}`],
  );
  for (const id of merged) expected.push(`images/${id}.merged.digests`, `images/${id}.merged.erofs`);
  const found: string[] = [];
  for (const directory of ['images', 'snapshots', 'trash']) {
    for (const name of await readdir(join(root, directory))) found.push(`${directory}/${name}`);
  }
  return {
    unowned: found.filter((name) => !expected.includes(name)).sort(),
    missing: expected.filter((name) => !found.includes(name)).sort(),
  };
}

/** Names of the cgroups of a namespace's containers, in all hierarchies. */
async function cgroupsOf(namespace: string): Promise<string[]> {
  const hierarchies = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, target]) => target ?? '');
  const names = new Set<string>();
  for (const hierarchy of hierarchies) {
    const entries = await readdir(join(hierarchy, namespace), { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) names.add(entry.name);
  }
  return [...names].sort();
}
