import { setTimeout as delay } from 'node:timers/promises';
import { lookAtMemoryLimit, memoryLimitFindings } from './cgroup';
import { lookAtConnections, lostConnections, withKnownServers, type Connection } from './connections';
import { askForCleanup, askForStatus, type DaemonAnswer } from './daemon-answer';
import { daemonFindings, daemonRuns, lookAtDaemon, openFiles, type DaemonLook } from './daemon';
import { databaseFindings, lookAtDatabase, type DatabaseContent } from './database';
import { leftoverFindings, lookAtFiles, type FilesLook, type Running } from './files';
import { sameFinding, type Finding } from './finding';
import { lookAtRecordedHolder, lookForOrphans, orphanFindings, recordedHolderFindings } from './holders';
import { lookAtRows, rowFindings } from './images';
import { imagesMountFindings, lookAtImagesMount } from './images-mount';
import { journalFindings, lookAtJournal } from './journal';
import { kernelFindings, lookAtKernel } from './kernel';
import { overlaysAbove, overlaysOf } from './layers-in-use';
import { readMountTables, type MountTables } from './mount-tables';
import { lostLayerFindings, overlayFindings } from './overlays';
import { lookAtPermissions, permissionFindings } from './permissions';
import type { Place } from './place';
import { lookAtStorage, storageFindings } from './storage';

/** A look at everything. */
export interface Examination {
  readonly daemonRuns: boolean;
  readonly findings: readonly Finding[];
}

/** What a daemon is in the middle of is over after this time (ms). */
const SECOND_LOOK_MS = 500;

/**
 * Looks at everything and gives what was found. While a daemon runs, what it is in the middle of looks like a problem: only
 * what a second look finds too is one.
 */
export async function examine(place: Place): Promise<Examination> {
  const first = await look(place, await askForStatus(place.adminAddress));
  if (!first.daemonRuns || first.findings.every(isNoProblem)) return first;
  await delay(SECOND_LOOK_MS);
  const second = await look(place, await askForStatus(place.adminAddress));
  const lasting = second.findings.filter(
    (finding) => isNoProblem(finding) || first.findings.some((earlier) => sameFinding(earlier, finding)),
  );
  return { ...second, findings: lasting };
}

function isNoProblem({ level }: Finding): boolean {
  return level !== 'problem';
}

async function look(place: Place, answer: DaemonAnswer): Promise<Examination> {
  const { paths, state } = place;
  const daemon = await lookAtDaemon(place, answer);
  const tables = await readMountTables();
  const connections = await lookAtConnections();
  // The files before the database: what a daemon makes in between has no row yet, and what it removes has one still.
  const files = await lookAtFiles(paths, state);
  const database = lookAtDatabase(paths.database);
  const filesThere = files.images.length > 0 || files.snapshots.length > 0;
  const findings = [
    ...kernelFindings(await lookAtKernel(answer.status?.passthrough)),
    ...storageFindings(await lookAtStorage(paths.root, tables.own)),
    ...(await processFindings(place, daemon, tables, connections)),
    ...databaseFindings(database, filesThere),
    ...permissionFindings(await lookAtPermissions(place)),
    ...(database.state === 'read'
      ? await contentFindings(place, daemon, tables, files, database.content)
      : []),
  ];
  return { daemonRuns: daemonRuns(daemon), findings };
}

/** Of the daemon, its holder, and the mounts that both keep. */
async function processFindings(
  place: Place,
  daemon: DaemonLook,
  tables: MountTables,
  connections: readonly Connection[],
): Promise<Finding[]> {
  const runs = daemonRuns(daemon);
  const pid = pidOf(daemon);
  const holder = await lookAtRecordedHolder(place.state);
  const known = [holder.lives ? holder.recorded?.pid : undefined, daemon.status?.pid];
  const served = withKnownServers(
    connections,
    tables.own,
    place.imagesDirectory,
    known.filter((server) => server !== undefined),
  );
  const mount = await lookAtImagesMount(place.imagesDirectory, tables, served);
  const above = overlaysAbove(overlaysOf(tables), place.imagesDirectory);
  return [
    ...daemonFindings(daemon),
    ...(pid === undefined ? [] : memoryLimitFindings(await lookAtMemoryLimit(pid))),
    ...recordedHolderFindings(holder, runs, mount.connection),
    ...orphanFindings(place, await lookForOrphans(place, connections, tables)),
    ...imagesMountFindings(mount, runs),
    // A kernel that tells of no server at all tells of no loss either.
    ...(served === connections ? lostLayerFindings(above, lostConnections(connections, tables)) : []),
  ];
}

/** Of what the database says, and what is there. */
async function contentFindings(
  place: Place,
  daemon: DaemonLook,
  tables: MountTables,
  files: FilesLook,
  content: DatabaseContent,
): Promise<Finding[]> {
  const { paths, state } = place;
  const runs = daemonRuns(daemon);
  return [
    ...overlayFindings(place, overlaysOf(tables), content),
    ...journalFindings(lookAtJournal(state), content, runs),
    ...leftoverFindings(paths, state, files, content, runs ? await runningDaemon(place, daemon) : undefined),
    ...rowFindings(await lookAtRows(paths, content)),
  ];
}

async function runningDaemon({ address }: Place, daemon: DaemonLook): Promise<Running> {
  const pid = pidOf(daemon);
  let cleanup: Promise<void> | undefined;
  return {
    openFiles: pid === undefined ? new Set() : await openFiles(pid),
    // One call throws away all of them.
    cleanUp: () => (cleanup ??= askForCleanup(address)),
  };
}

function pidOf({ status, rootUser, stateUser }: DaemonLook): number | undefined {
  return status?.pid ?? rootUser ?? stateUser;
}
