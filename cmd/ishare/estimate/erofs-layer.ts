import { CacheBudget } from '../../../erofs/cache-budget';
import { CachedSource } from '../../../erofs/cached-source';
import type { Nid } from '../../../erofs/brands';
import type { ByteSource } from '../../../erofs/byte-source';
import { Contents } from '../../../erofs/comparison/contents';
import { directoryEntries, isDotOrDotDot } from '../../../erofs/directory-entries';
import { ErofsImage, type Decoding, type Inode } from '../../../erofs/image';
import { isDirectory } from '../../../erofs/inode';
import { ReadAheadSource } from '../../../erofs/read-ahead-source';
import {
  BARE_NODE,
  type FingerprintFaults,
  type Layer,
  type LayerDirectory,
  type LayerFile,
  type LayerNode,
} from './layer-files';

const METADATA_BUDGET = 8 * 1024 * 1024;
const OPAQUE = Buffer.from('trusted.overlay.opaque');
const OPAQUE_YES = 'y';

/** How EROFS images are read. */
export interface ErofsReading {
  /** Take the digests that images claim, and read only files without. */
  readonly trustFingerprints: boolean;
  readonly decoding: Decoding;
}

/** An image whose bytes are in `source`, which it owns from here on, also where this fails. */
export async function openErofsImage(source: ByteSource, decoding: Decoding): Promise<ErofsImage> {
  const budget = new CacheBudget(METADATA_BUDGET);
  const data = new ReadAheadSource(source, decoding.budget);
  try {
    return await ErofsImage.fromSources(data, new CachedSource(data, budget), { budget, decoding });
  } catch (error) {
    await data[Symbol.asyncDispose]();
    throw error;
  }
}

/** Bytes that reading a layer will hash; with `trust` no more than the image makes necessary. */
export async function bytesToHash(image: ErofsImage, trust: boolean): Promise<number> {
  const contents = new Contents(image);
  let bytes = 0;
  for await (const inode of image.files()) {
    if (!trust || (await contents.claimOf(inode)) === undefined) bytes += inode.size;
  }
  return bytes;
}

/**
 * The tree of an image. Throws ErofsErrors.
 *
 * @param trust take the digests that the image claims, and read only files without.
 * @param onRead is told how many bytes more were hashed.
 */
export async function readErofsLayer(
  image: ErofsImage,
  trust: boolean,
  onRead: (bytes: number) => void,
): Promise<Layer> {
  let hashed = 0;
  const onHashed = (bytes: number): void => {
    onRead(bytes - hashed);
    hashed = bytes;
  };
  const contents = new Contents(image, onHashed, trust ? 'believed' : 'ignored');
  const files = new Map<Nid, LayerFile>();
  const faults = { files: 0, missing: 0, wrong: 0 };
  for await (const inode of image.files()) {
    if (inode.size === 0) continue;
    const digest = await contents.digestOf(inode);
    const claim = await contents.claimOf(inode);
    faults.files++;
    if (claim === undefined) faults.missing++;
    else if (claim !== digest) faults.wrong++;
    files.set(inode.nid, { kind: 'file', size: inode.size, digest });
  }
  return { root: await readTree(image, files), faults: faults satisfies FingerprintFaults };
}

/** The names. That no directory is in itself has been seen when the files were found. */
async function readTree(image: ErofsImage, files: ReadonlyMap<Nid, LayerFile>): Promise<LayerDirectory> {
  const root = await image.inode(image.rootNid);
  const top = new Map<string, LayerNode>();
  const pending: { inode: Inode; entries: Map<string, LayerNode> }[] = [{ inode: root, entries: top }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for await (const { name, nid } of directoryEntries(image, next.inode)) {
      if (isDotOrDotDot(name)) continue;
      const inode = await image.inode(nid);
      const key = name.toString('latin1');
      if (isDirectory(inode)) {
        const entries = new Map<string, LayerNode>();
        next.entries.set(key, { kind: 'directory', opaque: await isOpaque(image, inode), entries });
        pending.push({ inode, entries });
      } else {
        next.entries.set(key, files.get(nid) ?? BARE_NODE);
      }
    }
  }
  return { kind: 'directory', opaque: await isOpaque(image, root), entries: top };
}

async function isOpaque(image: ErofsImage, directory: Inode): Promise<boolean> {
  return (await image.getXattr(directory, OPAQUE))?.toString('latin1') === OPAQUE_YES;
}
