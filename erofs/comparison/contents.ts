import { createHash } from 'node:crypto';
import type { Nid } from '../brands';
import { fingerprintDigest } from '../fingerprint-digest';
import type { ErofsImage, Inode } from '../image';

/** Bytes that are hashed at a time. */
const READ_BYTES = 1024 * 1024;

/** The contents of an image's files, told by their SHA-256: as the image claims it, else as they are. */
export class Contents {
  readonly #digests = new Map<Nid, string>();
  #computed = 0;
  #hashed = 0;

  constructor(
    readonly image: ErofsImage,
    private readonly onHashed: (bytes: number) => void = () => undefined,
    /** `ignored`: all digests are computed. */
    private readonly claims: 'believed' | 'ignored' = 'believed',
  ) {}

  /** Files whose digest was computed. */
  get computed(): number {
    return this.#computed;
  }

  /** The claim of the image, in hexadecimal; undefined where there is none. */
  async claimOf(inode: Inode): Promise<string | undefined> {
    const value = await this.image.fingerprint(inode);
    return value && fingerprintDigest(value)?.toString('hex');
  }

  /** SHA-256 of a regular file, in hexadecimal. */
  async digestOf(inode: Inode): Promise<string> {
    const known = this.#digests.get(inode.nid);
    if (known !== undefined) return known;
    const claim = this.claims === 'believed' ? await this.claimOf(inode) : undefined;
    const digest = claim ?? (await this.#compute(inode));
    this.#digests.set(inode.nid, digest);
    return digest;
  }

  async #compute(inode: Inode): Promise<string> {
    const hash = createHash('sha256');
    for (let offset = 0; offset < inode.size; offset += READ_BYTES) {
      const bytes = await this.image.read(inode, offset, READ_BYTES);
      hash.update(bytes);
      this.#hashed += bytes.length;
      this.onHashed(this.#hashed);
    }
    this.#computed++;
    return hash.digest('hex');
  }
}
