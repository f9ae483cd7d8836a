import { holderLives, type HolderIdentity } from '../../../ishare/takeover/holder';
import { readTakeoverState, TakeoverRefusedError } from '../../../ishare/takeover/takeover-state';
import { unmount, UMOUNT } from '../../../linux/mount';
import { WatchedProcess } from '../../../linux/process-end';
import { connectionOf, holdersAmong, lookAtConnections, type Connection } from './connections';
import { fine, LeftAloneError, type Finding } from './finding';
import { lookAtImagesMount } from './images-mount';
import { readMountTables, type MountTables } from './mount-tables';
import type { Place } from './place';

/** A process that only sleeps ends at once (ms). */
const END_LIMIT_MS = 1000;

/** What STATE says of the process that keeps the mounts for the next daemon. */
export interface RecordedHolder {
  readonly state: string;
  readonly recorded: HolderIdentity | undefined;
  readonly lives: boolean;
  /** Why STATE is not to be understood, or "". */
  readonly refusal: string;
}

/** A holder whose mounts no daemon will ever ask for. */
export interface OrphanHolder {
  readonly pid: number;
  /** Where its images mount is: STATE's place for it, or nowhere, so that it may have been any daemon's. */
  readonly mountedAt: string | undefined;
}

export async function lookAtRecordedHolder(state: string): Promise<RecordedHolder> {
  try {
    const recorded = (await readTakeoverState(state))?.holder;
    const lives = recorded !== undefined && (await holderLives(recorded));
    return { state, recorded, lives, refusal: '' };
  } catch (error) {
    if (!(error instanceof TakeoverRefusedError)) throw error;
    return { state, recorded: undefined, lives: false, refusal: error.message };
  }
}

export function recordedHolderFindings(
  { state, recorded, lives, refusal }: RecordedHolder,
  running: boolean,
  images: Connection | undefined,
): Finding[] {
  if (refusal !== '') {
    return [
      problem('the mounts are those of a later release', state, {
        why: refusal,
        remedy: 'start that release, or stop all containers',
      }),
    ];
  }
  if (recorded === undefined || !lives) {
    if (!running) return [];
    return [
      problem('no holder keeps the mounts', state, {
        why: 'they would end with the daemon, and containers get errors',
        remedy: 'see the log of the daemon; restart it when no container runs',
      }),
    ];
  }
  if (images !== undefined && !images.servers.includes(recorded.pid)) {
    return [
      problem('the holder keeps other mounts than the one that is there', `process ${recorded.pid}`, {
        why: 'a killed daemon could not be followed by another',
        remedy: 'stop the containers, then restart the daemon',
      }),
    ];
  }
  return [fine('daemon', 'a holder keeps the mounts over restarts', `process ${recorded.pid}`)];
}

/**
 * Holders beside which nobody serves their connections, and that STATE does not name though their mount is there, or whose
 * mount is nowhere. One that is mounted elsewhere is another daemon's.
 */
export async function lookForOrphans(
  { state, imagesDirectory }: Pick<Place, 'state' | 'imagesDirectory'>,
  connections: readonly Connection[],
  { own, others }: MountTables,
): Promise<OrphanHolder[]> {
  const { recorded, refusal } = await lookAtRecordedHolder(state);
  // What a later release wrote may name any.
  if (refusal !== '') return [];
  const holders = await holdersAmong(connections);
  const pids = new Set(holders.map(({ pid }) => pid));
  return holders.flatMap((holder) => {
    const kept = connections.filter(({ minor }) => holder.connections.includes(minor));
    const alone = kept.every(({ servers }) => servers.every((server) => pids.has(server)));
    if (!alone || holder.pid === recorded?.pid) return [];
    const mounts = [own, ...others].flat().filter((entry) => connectionOf(kept, entry) !== undefined);
    const ours = mounts.some(({ target }) => target === imagesDirectory);
    if (mounts.length > 0 && !ours) return [];
    return [{ pid: holder.pid, mountedAt: ours ? imagesDirectory : undefined }];
  });
}

export function orphanFindings(place: Place, orphans: readonly OrphanHolder[]): Finding[] {
  return orphans.map(({ pid, mountedAt }): Finding => {
    const where = `process ${pid}`;
    if (mountedAt === undefined) {
      return {
        area: 'daemon',
        level: 'note',
        what: 'a holder whose mount is nowhere',
        where,
        why: 'a daemon of this machine left it; a container may still have the mount',
        remedy: 'end it when no container of that daemon runs',
      };
    }
    return {
      ...problem('a holder that no daemon will ask for its mounts', where, {
        why: `${mountedAt} waits for ever`,
        remedy: 'end it and unmount, unless a container uses the mount',
      }),
      repair: () => endOrphan(place, pid),
    };
  });
}

/** Ends a holder that is still an orphan, and takes its mount away. */
async function endOrphan(place: Place, pid: number): Promise<void> {
  const tables = await readMountTables();
  const connections = await lookAtConnections();
  const orphans = await lookForOrphans(place, connections, tables);
  if (!orphans.some((orphan) => orphan.pid === pid)) {
    throw new LeftAloneError('it has ended, or is that of a daemon by now');
  }
  const { mounts, users } = await lookAtImagesMount(place.imagesDirectory, tables, connections);
  const [user] = users;
  if (user !== undefined) throw new LeftAloneError(`${user} uses its mount`);
  const holder = await WatchedProcess.find(pid);
  for (const { target } of mounts) unmount(target, UMOUNT.DETACH);
  process.kill(pid, 'SIGKILL');
  await holder?.ends(END_LIMIT_MS);
}

function problem(what: string, where: string, rest: Pick<Finding, 'why' | 'remedy'>): Finding {
  return { area: 'daemon', level: 'problem', what, where, ...rest };
}
