import type { Nid } from '../erofs/brands';
import type { Fingerprint } from './fingerprint';

/**
 * How far the fingerprints of an image are believed; it is stored with the image. A fingerprint is a claim: whoever
 * could forge one would have others read what he likes.
 *
 * - computed: this program computed them when it built the image.
 * - unverified: the image came as it is. Each file is believed once its content was hashed here.
 * - verified: all of its files were.
 * - quarantined: one of its files has another content than it claims. Nothing of it is shared.
 */
export type ImageTrust = 'computed' | 'unverified' | 'verified' | 'quarantined';

/** A file whose content was hashed here, with what came out. */
export interface VerifiedFile {
  readonly nid: Nid;
  readonly fingerprint: Fingerprint;
}

/** Something new about the fingerprints of an image. */
export interface TrustNews {
  readonly imagePath: string;
  readonly trust: ImageTrust;
  /** Files that are believed from now on, beside those of earlier news. */
  readonly verified: readonly VerifiedFile[];
}

/** What is believed of one image, by all its attachments. */
export class ImageClaims {
  #trust: ImageTrust;
  readonly #verified = new Map<Nid, Fingerprint>();

  constructor({ trust, verified }: Omit<TrustNews, 'imagePath'>) {
    this.#trust = trust;
    this.#remember(verified);
  }

  get trust(): ImageTrust {
    return this.#trust;
  }

  /** Whether the inode's content is known to have this fingerprint. */
  believes(nid: Nid, fingerprint: Fingerprint): boolean {
    switch (this.#trust) {
      case 'computed':
      case 'verified':
        return true;
      case 'unverified':
        return this.#verified.get(nid) === fingerprint;
      case 'quarantined':
        return false;
    }
  }

  learn({ trust, verified }: TrustNews): void {
    this.#trust = trust;
    if (trust === 'unverified') this.#remember(verified);
    else this.#verified.clear();
  }

  #remember(verified: readonly VerifiedFile[]): void {
    for (const { nid, fingerprint } of verified) this.#verified.set(nid, fingerprint);
  }
}
