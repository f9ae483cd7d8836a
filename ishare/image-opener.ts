import { CacheBudget } from '../erofs/cache-budget';
import { Decoding } from '../erofs/compression/decoding';
import { UnitHasher } from '../erofs/digests/unit-hasher';
import { scratchBuffers } from '../erofs/file-source';
import { ErofsImage } from '../erofs/image';
import type { ImageAttachment } from './layer-server';

/** For what is decoded and read ahead of all images (bytes): a reader of a large file has 2 MiB ahead of it. */
const DECODED_BYTES = 32 * 2 ** 20;

/** Opens the images of an engine, which have threads and memory in common. */
export class ImageOpener implements AsyncDisposable {
  readonly #budget: CacheBudget;
  readonly #decoding = new Decoding(new CacheBudget(DECODED_BYTES));
  readonly #hasher = new UnitHasher();
  readonly #scratch = scratchBuffers();

  /** @param metadataBytes memory for metadata. */
  constructor(metadataBytes: number) {
    this.#budget = new CacheBudget(metadataBytes);
  }

  open({ imagePath, digests }: ImageAttachment): Promise<ErofsImage> {
    return ErofsImage.open(imagePath, {
      budget: this.#budget,
      decoding: this.#decoding,
      scratch: this.#scratch,
      ...(digests && { digests: { ...digests, hasher: this.#hasher } }),
    });
  }

  /** Lets go of the metadata of all images. */
  rest(): void {
    this.#budget.clear();
  }

  /** To be called once all images are closed. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#hasher[Symbol.asyncDispose]();
  }
}
