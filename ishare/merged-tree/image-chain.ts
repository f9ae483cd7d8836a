import { CacheBudget } from '../../erofs/cache-budget';
import { Decoding, ErofsImage } from '../../erofs/image';
import { ImageNode } from './image-node';

/** Memory for metadata of all images of a chain (bytes). */
const METADATA_BUDGET = 8 * 1024 * 1024;

/** The images of a snapshot, opened to look into them. */
export class ImageChain implements AsyncDisposable {
  private constructor(private readonly images: readonly ErofsImage[]) {}

  /** @param paths topmost first. */
  static async open(paths: readonly string[]): Promise<ImageChain> {
    const budget = new CacheBudget(METADATA_BUDGET);
    const decoding = new Decoding();
    const images: ErofsImage[] = [];
    try {
      for (const path of paths) images.push(await ErofsImage.open(path, { budget, decoding }));
      return new ImageChain(images);
    } catch (error) {
      for (const image of images) await image[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Topmost first. */
  roots(): Promise<ImageNode[]> {
    return Promise.all(this.images.map((image) => ImageNode.root(image)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const image of this.images) await image[Symbol.asyncDispose]();
  }
}
