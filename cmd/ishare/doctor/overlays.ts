import { readlink } from 'node:fs/promises';
import path from 'node:path';
import { Kind } from '../../../proto/snapshots';
import { unmount, UMOUNT } from '../../../linux/mount';
import type { DatabaseContent } from './database';
import { openFiles } from './daemon';
import { LeftAloneError, type Finding } from './finding';
import { overlaysAbove, overlaysOf, placeOfOverlay, type Overlay } from './layers-in-use';
import { isBelow } from '../../../linux/mount-origin';
import { processNumbers, readMountTables } from './mount-tables';
import type { Place } from './place';
import { ifShown } from './present';

/** Overlays with layers of this daemon whose snapshots are gone, and so are their containers, or should be. */
export function overlayFindings(
  { paths, imagesDirectory }: Pick<Place, 'paths' | 'imagesDirectory'>,
  overlays: readonly Overlay[],
  content: DatabaseContent,
): Finding[] {
  const owner = ({ upper }: Overlay): number | undefined => {
    if (upper === undefined || path.dirname(path.dirname(upper)) !== paths.snapshots) return undefined;
    return Number(path.basename(path.dirname(upper)));
  };
  const attachments = new Set(content.attachments.map(({ id }) => id));
  const gone = (overlay: Overlay): boolean => {
    const id = owner(overlay);
    if (id !== undefined) {
      const kind = content.snapshots.get(id)?.kind;
      return kind === undefined || kind === Kind.COMMITTED;
    }
    const layers = overlay.lower.filter((layer) => isBelow(layer, imagesDirectory));
    return (
      overlay.upper === undefined && layers.some((layer) => !attachments.has(Number(path.basename(layer))))
    );
  };
  const ours = new Set([
    ...overlaysAbove(overlays, imagesDirectory),
    ...overlaysAbove(overlays, paths.snapshots),
  ]);
  return [...ours].filter(gone).map(findingOf);
}

/**
 * Overlays outlive the images mount that they were made above where that was cleared away. Which of them do cannot be told,
 * nor whose a connection was, so it is a note.
 */
export function lostLayerFindings(above: readonly Overlay[], lost: readonly number[]): Finding[] {
  if (above.length === 0 || lost.length === 0) return [];
  return [
    {
      area: 'mounts',
      level: 'note',
      what: 'overlays may lie above an images mount that is dead',
      where: above.map(placeOfOverlay).join(', '),
      why: `something holds FUSE connections that nobody serves (${lost.join(', ')}): reading from them fails`,
      remedy: 'restart containers whose files cannot be read',
    },
  ];
}

function findingOf(overlay: Overlay): Finding {
  const finding: Finding = {
    area: 'mounts',
    level: 'problem',
    what: 'an overlay whose snapshot is gone',
    where: placeOfOverlay(overlay),
    why: 'it keeps images and directories that nobody owns in use',
    remedy: 'unmount it, unless a process uses it',
  };
  if (overlay.elsewhere > 0 || overlay.targets.length === 0) {
    return { ...finding, remedy: 'stop the container that has it; it is left alone until then' };
  }
  return { ...finding, repair: () => unmountUnused(overlay.device) };
}

async function unmountUnused(device: string): Promise<void> {
  const overlay = overlaysOf(await readMountTables()).find((candidate) => candidate.device === device);
  if (overlay === undefined) return;
  if (overlay.elsewhere > 0) throw new LeftAloneError('another mount namespace has it');
  for (const target of overlay.targets) {
    const pid = await processBelow(target);
    if (pid !== undefined) throw new LeftAloneError(`process ${pid} uses it`);
  }
  for (const target of overlay.targets) unmount(target, UMOUNT.DETACH);
}

/** A process that works in a directory or has something of it open; told by links of /proc, which touch no file. */
async function processBelow(directory: string): Promise<number | undefined> {
  for (const pid of await processNumbers()) {
    const links = await Promise.all(
      ['cwd', 'root', 'exe'].map((name) => ifShown(readlink(`/proc/${pid}/${name}`))),
    );
    const used = [...links, ...(await openFiles(pid))];
    if (used.some((file) => file !== undefined && isBelow(file, directory))) return pid;
  }
  return undefined;
}
