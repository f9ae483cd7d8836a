import type { ByteSource } from '../../../../erofs/byte-source';
import { decompressed } from '../../../../erofs/writer/tar/decompression';
import { ArchiveError } from '../archive-error';
import { openErofsImage, readErofsLayer, type ErofsReading } from '../erofs-layer';
import type { Layer, LayerDirectory } from '../layer-files';
import { readTarLayer } from '../tar-layer';
import type { ArchivedLayer } from './archived-image';
import { blobPieces, checkBlob } from './checked-blob';
import { DigestCheck } from './digest';
import { openRequired, type ImageStore } from './image-store';

/**
 * Reads a layer and checks the digests of its blob and of what that unpacks to. Throws ArchiveErrors, and what is wrong
 * with the tar or the EROFS image.
 *
 * @param onRead is told how many bytes of the blob were read, piece by piece.
 */
export async function readArchivedLayer(
  store: ImageStore,
  layer: ArchivedLayer,
  reading: ErofsReading,
  onRead: (bytes: number) => void,
): Promise<Layer> {
  const source = await openRequired(store, layer.path, 'a layer');
  if (layer.form === 'tar') {
    await using blob = source;
    return { root: await readTarBlob(blob, layer, onRead) };
  }
  await using image = await openErofsImage(source, reading.decoding);
  await checkBlob(source, layer.digest, onRead);
  if (layer.digest !== undefined && layer.digest !== layer.diffId)
    throw wrongDiffId(source, layer.digest, layer);
  return await readErofsLayer(image, reading.trustFingerprints, () => undefined);
}

async function readTarBlob(
  source: ByteSource,
  layer: ArchivedLayer,
  onRead: (bytes: number) => void,
): Promise<LayerDirectory> {
  const { digest, diffId } = layer;
  // What is not compressed has the same digest both ways.
  const diff = digest === diffId ? undefined : new DigestCheck(diffId);
  const pieces = watched(decompressed(blobPieces(source, digest, onRead), source.label), diff);
  let root: LayerDirectory;
  try {
    root = await readTarLayer(pieces, source.label);
  } catch (error) {
    await pieces.return();
    // Where the blob itself is wrong, that is what is to be said.
    await checkBlob(source, digest);
    throw error;
  }
  const actual = diff?.difference();
  if (actual !== undefined) throw wrongDiffId(source, actual, layer);
  return root;
}

function wrongDiffId({ label }: ByteSource, actual: string, { diffId }: ArchivedLayer): ArchiveError {
  return new ArchiveError(
    label,
    `the layer unpacks to ${actual}, the configuration of the image says ${diffId}`,
  );
}

async function* watched(
  pieces: AsyncIterable<Buffer>,
  check: DigestCheck | undefined,
): AsyncGenerator<Buffer, void> {
  for await (const piece of pieces) {
    check?.update(piece);
    yield piece;
  }
}
