import { createHash } from 'node:crypto';
import type { Nid } from '../../erofs/brands';
import { ErofsCorruptError } from '../../erofs/errors';
import type { ErofsImage, Inode } from '../../erofs/image';
import { Pace } from '../../erofs/writer/pace';
import { parseFingerprint, type Fingerprint } from '../fingerprint';
import type { VerifiedFile } from '../image-trust';
import { filePath } from './file-path';
import type { Verdict, VerifiedBatch } from './verdict';

/** Bytes that are read, and so decoded, at a time. */
const READ_BYTES = 1024 * 1024;

/** A batch is told once it has so many files, or is so old (ms). */
const BATCH_FILES = 500;
const BATCH_AGE = 500;

/**
 * Content that an image may claim: this much, or so many times its own length, whichever is more. Holes, compression and
 * blocks that are used again and again cost an image nothing, but would keep the thread busy for years.
 */
const CONTENT_MAX = 64 * 1024 ** 3;
const CONTENT_RATIO_MAX = 16;

export interface ContentVerificationOptions {
  readonly signal: AbortSignal;
  /** Told of what was verified, and that the work goes on. */
  readonly onBatch: (batch: VerifiedBatch) => void;
}

/**
 * Reads every regular file of an image that claims a fingerprint, and hashes what is in it. Ends at the first one whose
 * content is another. Rejects with the signal's reason, and with errors that are not about the image.
 */
export async function verifyContents(
  image: ErofsImage,
  options: ContentVerificationOptions,
): Promise<Verdict> {
  try {
    return await new ContentVerification(image, options).run();
  } catch (error) {
    if (error instanceof ErofsCorruptError) return { kind: 'unreadable', problem: error.message };
    throw error;
  }
}

class ContentVerification {
  readonly #pace: Pace;
  readonly #contentMax: number;
  #batch: VerifiedFile[] = [];
  #batchBegun = performance.now();
  #files = 0;
  #bytes = 0;
  #claimedBytes = 0;
  #unclaimed = 0;
  #malformed = 0;
  #firstMalformed: Nid | undefined;

  constructor(
    private readonly image: ErofsImage,
    private readonly options: ContentVerificationOptions,
  ) {
    this.#pace = new Pace(options.signal);
    this.#contentMax = Math.max(CONTENT_MAX, CONTENT_RATIO_MAX * image.sources.data.size);
  }

  async run(): Promise<Verdict> {
    for await (const inode of this.image.files()) {
      const claimed = await this.#claimOf(inode);
      if (claimed === undefined) continue;
      this.#claimedBytes += inode.size;
      if (this.#claimedBytes > this.#contentMax) return this.#excess();
      const actual = await this.#digestOf(inode);
      if (actual !== claimed)
        return { kind: 'forged', path: await filePath(this.image, inode.nid), claimed, actual };
      this.#files++;
      this.#batch.push({ nid: inode.nid, fingerprint: actual });
      if (this.#batch.length >= BATCH_FILES) this.#tellBatch();
    }
    this.#tellBatch();
    const first = this.#firstMalformed;
    return {
      kind: 'verified',
      files: this.#files,
      bytes: this.#bytes,
      unclaimed: this.#unclaimed,
      malformed:
        first === undefined
          ? undefined
          : { files: this.#malformed, first: await filePath(this.image, first) },
    };
  }

  async #claimOf(inode: Inode): Promise<Fingerprint | undefined> {
    await this.#breathe();
    const value = await this.image.fingerprint(inode);
    if (value === undefined) {
      this.#unclaimed++;
      return undefined;
    }
    const claimed = parseFingerprint(value);
    if (claimed === undefined) {
      this.#malformed++;
      this.#firstMalformed ??= inode.nid;
    }
    return claimed;
  }

  async #digestOf(inode: Inode): Promise<Fingerprint> {
    const hash = createHash('sha256');
    for (let offset = 0; offset < inode.size; offset += READ_BYTES) {
      const bytes = await this.image.read(inode, offset, READ_BYTES);
      hash.update(bytes);
      this.#bytes += bytes.length;
      await this.#breathe();
    }
    return hash.digest('hex') as Fingerprint;
  }

  async #breathe(): Promise<void> {
    if (!this.#pace.due()) return;
    await this.#pace.breathe();
    if (performance.now() - this.#batchBegun > BATCH_AGE) this.#tellBatch();
  }

  #tellBatch(): void {
    const progress = { files: this.#files, bytes: this.#bytes };
    this.options.onBatch({ verified: this.#batch, progress });
    this.#batch = [];
    this.#batchBegun = performance.now();
  }

  #excess(): Verdict {
    const limit = `${this.#contentMax} bytes`;
    return { kind: 'unreadable', problem: `its files claim more than ${limit}, which is not checked` };
  }
}
