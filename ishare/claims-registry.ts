import { ImageClaims, type TrustNews } from './image-trust';

interface Entry {
  readonly claims: ImageClaims;
  holders: number;
}

/** What is believed of each image that is attached: in several domains at once, it is one image. */
export class ClaimsRegistry {
  readonly #entries = new Map<string, Entry>();

  /** The claims of an image, for an attachment that begins; `initial` is how they stand. To be released once. */
  acquire(initial: TrustNews): ImageClaims {
    const entry = this.#entries.get(initial.imagePath) ?? { claims: new ImageClaims(initial), holders: 0 };
    this.#entries.set(initial.imagePath, entry);
    entry.holders += 1;
    return entry.claims;
  }

  release(imagePath: string): void {
    const entry = this.#entries.get(imagePath);
    if (entry === undefined) return;
    entry.holders -= 1;
    if (entry.holders === 0) this.#entries.delete(imagePath);
  }

  /** Nothing of what is attached needs news of other images: an attachment begins with how things stand. */
  learn(news: TrustNews): void {
    this.#entries.get(news.imagePath)?.claims.learn(news);
  }
}
