import type { Logger } from 'winston';
import type { ImageTrust, TrustNews, VerifiedFile } from '../ishare/image-trust';
import type { Verdict, VerifiedBatch } from '../ishare/verification/verdict';
import { Verifier, type VerificationOrder, type VerifierState } from '../ishare/verification/verifier';
import type { Paths } from './paths';
import type { MetadataStore } from './store/metadata-store';
import type { SnapshotId } from './store/snapshot-table';

export interface LayerVerificationOptions {
  /** Stays the caller's, to be closed after this. */
  readonly store: MetadataStore;
  readonly paths: Paths;
  /** Tells whoever serves the layers, attached or not. */
  readonly learn: (news: TrustNews) => Promise<void>;
  readonly logger: Logger;
}

/** A committed layer that waits for its verification. */
export interface LayerOrder extends VerificationOrder {
  readonly id: SnapshotId;
  readonly name: string;
}

/**
 * Has the images of layers verified that came ready-made, in the background: tells the layer server of files as they prove
 * right, and stores the verdict. A verification that was interrupted begins again with the next start.
 */
export class LayerVerification implements AsyncDisposable {
  readonly #options: LayerVerificationOptions;
  readonly #verifier: Verifier<LayerOrder>;

  constructor(options: LayerVerificationOptions) {
    this.#options = options;
    this.#verifier = new Verifier({
      onBatch: (order, batch) => this.#orWarn(order, () => this.#takeBatch(order, batch)),
      onVerdict: (order, verdict) => this.#orWarn(order, () => this.#takeVerdict(order, verdict)),
    });
  }

  /** Begins with all that an earlier daemon left unverified. */
  resume(): void {
    const { store } = this.#options;
    const unverified = store.transaction(() =>
      Array.from(store.snapshots.all()).filter(({ trust }) => trust === 'unverified'),
    );
    for (const { id } of unverified) this.enqueue(id);
  }

  /** A layer was committed: where its image came ready-made, its turn comes. */
  enqueue(id: SnapshotId): void {
    const layer = this.#options.store.snapshots.get(id);
    if (layer?.trust !== 'unverified') return;
    this.#verifier.enqueue({ id, name: layer.name, imagePath: this.#options.paths.image(id) });
  }

  /** Files of a layer that have been verified so far, see Verifier. */
  verifiedFiles(id: SnapshotId): readonly VerifiedFile[] {
    return this.#verifier.verifiedFiles({ imagePath: this.#options.paths.image(id) });
  }

  get state(): VerifierState<LayerOrder> {
    return this.#verifier.state;
  }

  /** Gives up what is under way; the images stay unverified. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#verifier[Symbol.asyncDispose]();
  }

  #takeBatch(order: LayerOrder, { verified }: VerifiedBatch): void {
    if (this.#removed(order)) this.#verifier.cancel(order);
    else if (verified.length > 0) this.#learn(order, 'unverified', verified);
  }

  #takeVerdict(order: LayerOrder, verdict: Verdict): void {
    if (this.#removed(order)) return;
    const { logger } = this.#options;
    const image = order.name;
    switch (verdict.kind) {
      case 'verified': {
        const { files, bytes, unclaimed, malformed } = verdict;
        this.#settle(order, 'verified', '');
        logger.info('an image is verified', { image, files, bytes, withoutFingerprint: unclaimed });
        if (malformed === undefined) return;
        logger.warn('fingerprints are not "sha256:" and 32 bytes: these files are not shared', {
          image,
          ...malformed,
        });
        return;
      }
      case 'forged': {
        const { path, claimed, actual } = verdict;
        this.#settle(
          order,
          'quarantined',
          `${path} claims sha256:${claimed}, its content has sha256:${actual}`,
        );
        logger.error('an image is quarantined: a file has another content than it claims', {
          image,
          file: path,
          claimed,
          actual,
        });
        return;
      }
      case 'unreadable':
        this.#settle(order, 'quarantined', `cannot be verified: ${verdict.problem}`);
        logger.error('an image is quarantined: it cannot be verified', { image, problem: verdict.problem });
        return;
      case 'failed':
        logger.error('an image stays unverified until the next start', { image, problem: verdict.problem });
    }
  }

  #settle(order: LayerOrder, trust: ImageTrust, reason: string): void {
    const { store } = this.#options;
    store.transaction(() => store.snapshots.setTrust(order.id, trust, reason));
    this.#learn(order, trust, []);
  }

  #learn(order: LayerOrder, trust: ImageTrust, verified: readonly VerifiedFile[]): void {
    this.#options.learn({ imagePath: order.imagePath, trust, verified }).catch((error: unknown) => {
      this.#options.logger.warn('the layer server does not learn what was verified', {
        image: order.name,
        error,
      });
    });
  }

  #removed({ id }: LayerOrder): boolean {
    return this.#options.store.snapshots.get(id) === undefined;
  }

  /** Nobody waits for the verifier who could be told. */
  #orWarn({ name }: LayerOrder, work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.logger.error('the verification of an image fails', { image: name, error });
    }
  }
}
