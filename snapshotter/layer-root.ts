import { ErofsImage } from '../erofs/image';
import type { LayerRoot } from './image-building';

const PERMISSION_BITS = 0o7777;

/** Mode and owner of the root directory in a committed image. Rejects as ErofsImage does. */
export async function readLayerRoot(imagePath: string): Promise<LayerRoot> {
  await using image = await ErofsImage.open(imagePath);
  const { mode, uid, gid } = await image.inode(image.rootNid);
  return { mode: mode & PERMISSION_BITS, uid, gid };
}
