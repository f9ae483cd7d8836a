import type { ByteSource } from '../../../erofs/byte-source';
import { bytesToHash, openErofsImage, readErofsLayer, type ErofsReading } from './erofs-layer';
import type { OpenImage } from './layer-source';

/** Bytes that are compared at once. */
const PIECE = 1024 * 1024;

/** EROFS images that were named; two of the same bytes are one layer. */
export class KnownErofsImages {
  readonly #sources: ByteSource[] = [];

  /** The same for images of the same bytes. All sources must be open still. */
  async identityOf(source: ByteSource): Promise<string> {
    for (const [index, known] of this.#sources.entries()) {
      if (await haveSameBytes(known, source)) return identity(index);
    }
    return identity(this.#sources.push(source) - 1);
  }
}

function identity(index: number): string {
  return `EROFS image ${index}`;
}

/** Images that are not the same differ in their first block, nearly always. */
async function haveSameBytes(one: ByteSource, other: ByteSource): Promise<boolean> {
  if (one.size !== other.size) return false;
  for (let position = 0; position < one.size; position += PIECE) {
    const length = Math.min(PIECE, one.size - position);
    if (!(await one.read(position, length)).equals(await other.read(position, length))) return false;
  }
  return true;
}

/** An EROFS image as an image of one layer. It owns `source` from here on, also where this fails. */
export async function openedErofsImage(
  label: string,
  source: ByteSource,
  reading: ErofsReading,
  known: KnownErofsImages,
): Promise<OpenImage> {
  const image = await openErofsImage(source, reading.decoding);
  try {
    const same = await known.identityOf(source);
    const bytes = await bytesToHash(image, reading.trustFingerprints);
    return {
      label,
      layers: [
        {
          identity: same,
          content: same,
          bytes,
          read: (onRead) => readErofsLayer(image, reading.trustFingerprints, onRead),
        },
      ],
      [Symbol.asyncDispose]: () => image[Symbol.asyncDispose](),
    };
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
}
