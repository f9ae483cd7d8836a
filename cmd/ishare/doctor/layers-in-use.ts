import path from 'node:path';
import { isBelow, type Origin } from '../../../linux/mount-origin';
import { overlayLayers, type OverlayLayers } from '../../../linux/overlay-layers';
import type { MountTables } from './mount-tables';

/** An overlay, in however many places and namespaces it is mounted. */
export interface Overlay extends OverlayLayers {
  readonly device: string;
  /** Where this process sees it. */
  readonly targets: readonly string[];
  /** How many other mount namespaces have it: containers that run in it. */
  readonly elsewhere: number;
}

export function overlaysOf({ own, others }: MountTables): Overlay[] {
  const all = [...own, ...others.flat()].filter(({ type }) => type === 'overlay');
  return [...new Map(all.map((entry) => [entry.device, entry])).values()].map((entry) => ({
    device: entry.device,
    targets: own.filter(({ device }) => device === entry.device).map(({ target }) => target),
    elsewhere: others.filter((table) => table.some(({ device }) => device === entry.device)).length,
    ...overlayLayers(entry),
  }));
}

/** Overlays that have a layer in a directory. */
export function overlaysAbove(overlays: readonly Overlay[], directory: string): Overlay[] {
  return overlays.filter(({ upper, lower }) =>
    [upper ?? '', ...lower].some((layer) => isBelow(layer, directory)),
  );
}

/** The directory in which an overlay's mount point, or a namespace that has it, is told to people. */
export function placeOfOverlay({ targets, elsewhere, upper }: Overlay): string {
  return targets[0] ?? (upper === undefined ? `in ${elsewhere} mount namespaces` : path.dirname(upper));
}

/**
 * What lies in or on a directory, or is mounted from it, so that it must not be deleted: mount points of any namespace, or
 * undefined where nothing does. `origin` is where the directory lies in its file system.
 */
export function useOf(
  { own, others }: MountTables,
  directory: string,
  origin: Origin | undefined,
): string | undefined {
  const tables = [own, ...others];
  const user = tables
    .flat()
    .find(
      (entry) =>
        isBelow(entry.target, directory) ||
        (entry.device === origin?.device && isBelow(entry.root, origin.inside)),
    );
  const overlay = overlaysAbove(overlaysOf({ own, others }), directory)[0];
  return user?.target ?? (overlay === undefined ? undefined : placeOfOverlay(overlay));
}
