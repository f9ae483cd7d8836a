import type { WrittenImage } from '../../scripts/oci/oci-archive';
import type { FreshTrees } from './cached-growth';
import type { ContainerHost, Place } from './container-host';
import { Ownership } from './ownership';

/** Trees of images, served by a daemon that has just started: the old one's pages went with its mounts. */
export async function freshTreesOf(
  host: ContainerHost,
  images: readonly WrittenImage[],
  place: Place,
): Promise<FreshTrees> {
  await host.daemon(place.snapshotter).snapshotter.stop();
  await host.restart(place.snapshotter);
  const ownership = new Ownership();
  const roots: string[] = [];
  for (const image of images) roots.push(ownership.own(await host.mountTree(image, place)).path);
  return { roots, [Symbol.asyncDispose]: () => ownership[Symbol.asyncDispose]() };
}
