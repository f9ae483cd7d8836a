import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isTemporaryImageName } from '../../../erofs/build';
import { Kind } from '../../../proto/snapshots';
import { parseImageFileName, type ImageFileName, type Paths } from '../../../snapshotter/paths';
import type { DatabaseContent, SnapshotRow } from './database';
import { fine, LeftAloneError, type Finding } from './finding';
import { useOf } from './layers-in-use';
import { originOf } from '../../../linux/mount-origin';
import { readMountTables } from './mount-tables';
import { ifPresent } from './present';

/** Names in the directories that hold what rows own. */
export interface FilesLook {
  readonly images: readonly string[];
  readonly snapshots: readonly string[];
  readonly trash: readonly string[];
  /** In STATE. */
  readonly state: readonly string[];
}

export async function lookAtFiles(paths: Paths, state: string): Promise<FilesLook> {
  const names = async (directory: string): Promise<string[]> =>
    (await ifPresent(readdir(directory)))?.sort() ?? [];
  return {
    images: await names(paths.images),
    snapshots: await names(paths.snapshots),
    trash: await names(paths.trash),
    state: await names(state),
  };
}

/** What the daemon is doing meanwhile. */
export interface Running {
  /** Paths that it has open: an unfinished image among them is being written. */
  readonly openFiles: ReadonlySet<string>;
  /** Has it throw away what no row owns. */
  readonly cleanUp: () => Promise<void>;
}

interface Leftover {
  readonly path: string;
  readonly what: string;
}

/** Files and directories that no row of the database owns. `running` is undefined where no daemon runs. */
export function leftoverFindings(
  paths: Paths,
  state: string,
  files: FilesLook,
  content: DatabaseContent,
  running: Running | undefined,
): Finding[] {
  const leftovers = [
    ...imageLeftovers(paths, files.images, content, running),
    ...directoryLeftovers(paths, files.snapshots, content),
    // A daemon empties the trash when it comes to it, and a state that it is writing has another name.
    ...(running === undefined
      ? [...trashLeftovers(paths, files.trash), ...stateLeftovers(state, files.state)]
      : []),
  ];
  if (leftovers.length === 0) return [fine('files', 'every file and directory belongs to a row', paths.root)];
  return leftovers.map(({ path: place, what }) => ({
    area: 'files',
    level: 'problem',
    what,
    where: place,
    why: 'it takes room, and nobody owns it',
    remedy: running === undefined ? 'remove it' : 'have the daemon remove it (Cleanup)',
    repair: running === undefined ? () => removeUnused(place) : running.cleanUp,
  }));
}

function imageLeftovers(
  paths: Paths,
  names: readonly string[],
  { snapshots }: DatabaseContent,
  running: Running | undefined,
): Leftover[] {
  return names.flatMap((name) => {
    const place = path.join(paths.images, name);
    if (isTemporaryImageName(name)) {
      return running?.openFiles.has(place) === true ? [] : [{ path: place, what: 'an unfinished image' }];
    }
    const file = parseImageFileName(name);
    if (file === undefined) return [{ path: place, what: 'a file that is no image' }];
    const row = snapshots.get(file.id);
    // One that is being committed has its image before its row says so, and so has one that is being merged.
    if (row !== undefined && (running !== undefined || owns(row, file))) return [];
    return [
      { path: place, what: file.kind === 'erofs' ? 'an image without a row' : 'digests without a row' },
    ];
  });
}

function owns({ kind, mergedDigestsRoot }: SnapshotRow, { merged }: ImageFileName): boolean {
  return kind === Kind.COMMITTED && (!merged || mergedDigestsRoot !== null);
}

function directoryLeftovers(
  paths: Paths,
  names: readonly string[],
  { snapshots }: DatabaseContent,
): Leftover[] {
  return names
    .filter((name) => {
      const kind = /^\d+$/.test(name) ? snapshots.get(Number(name))?.kind : undefined;
      return kind === undefined || kind === Kind.COMMITTED;
    })
    .map((name) => ({
      path: path.join(paths.snapshots, name),
      what: "a snapshot's directory without a row",
    }));
}

function trashLeftovers(paths: Paths, names: readonly string[]): Leftover[] {
  return names.map((name) => ({ path: path.join(paths.trash, name), what: 'undeleted trash' }));
}

function stateLeftovers(state: string, names: readonly string[]): Leftover[] {
  return names
    .filter((name) => /^takeover\.json\.[0-9a-f]{8}$/.test(name))
    .map((name) => ({ path: path.join(state, name), what: 'an unfinished takeover state' }));
}

async function removeUnused(place: string): Promise<void> {
  const tables = await readMountTables();
  const user = useOf(tables, place, originOf(tables.own, place));
  if (user !== undefined) throw new LeftAloneError(`mounted or used at ${user}`);
  await rm(place, { recursive: true, force: true });
}
