import { ArchiveError } from '../archive-error';
import { chainIds } from './digest';
import { configurationSchema, readDocument, type Configuration } from './documents';
import { openRequired, type ImageStore } from './image-store';
import type { Platform } from './platform';

/** @param digest undefined: the archive promises none. */
export async function readConfiguration(
  store: ImageStore,
  path: string,
  digest: string | undefined,
): Promise<Configuration> {
  await using source = await openRequired(store, path, 'the configuration of the image');
  return await readDocument(source, configurationSchema, digest);
}

export function platformOf({ os, architecture, variant }: Configuration): Platform | undefined {
  if (os === undefined || architecture === undefined) return undefined;
  return { os, architecture, variant };
}

/** The ids of all layers, the lowest first. Throws ArchiveError unless there are `count` of them. */
export function layerIds(
  store: ImageStore,
  { rootfs }: Configuration,
  count: number,
): { readonly diffId: string; readonly chainId: string }[] {
  const diffIds = rootfs.diff_ids ?? [];
  if (diffIds.length !== count) {
    const problem = `an image has ${count} layers, its configuration says ${diffIds.length}`;
    throw new ArchiveError(store.label, problem);
  }
  const chain = chainIds(diffIds);
  return diffIds.map((diffId, index) => ({ diffId, chainId: chain[index] ?? diffId }));
}
