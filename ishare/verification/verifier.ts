import { returnFreeMemory } from '../../linux/free-memory';
import type { VerifiedFile } from '../image-trust';
import type { Verdict, VerificationProgress, VerifiedBatch } from './verdict';
import { VerifierThread } from './verifier-thread';

/** An image that is to be verified. */
export interface VerificationOrder {
  readonly imagePath: string;
}

/** They must not throw. */
export interface VerifierEvents<Order> {
  /** Some files of an image have the content that they claim. */
  onBatch(order: Order, batch: VerifiedBatch): void;
  onVerdict(order: Order, verdict: Verdict): void;
}

/** What a verifier is at. */
export interface VerifierState<Order> {
  readonly current: { readonly order: Order; readonly progress: VerificationProgress } | undefined;
  readonly waiting: readonly Order[];
}

/**
 * Verifies images one after another, in the order in which they came, each on a thread of its own and of low priority.
 * Without work there is no thread.
 */
export class Verifier<Order extends VerificationOrder> implements AsyncDisposable {
  readonly #events: VerifierEvents<Order>;
  readonly #waiting: Order[] = [];
  #current: { readonly order: Order; readonly thread: VerifierThread } | undefined;
  #working = false;
  /** Resolves when all work is done. */
  #idle: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(events: VerifierEvents<Order>) {
    this.#events = events;
  }

  /** Does nothing once the verifier is closed. */
  enqueue(order: Order): void {
    if (this.#closed) return;
    this.#waiting.push(order);
    if (!this.#working) this.#idle = this.#work();
  }

  /** Gives an image up that waits or is being verified: there is no verdict then. */
  cancel({ imagePath }: VerificationOrder): void {
    const index = this.#waiting.findIndex((order) => order.imagePath === imagePath);
    if (index >= 0) this.#waiting.splice(index, 1);
    if (this.#current?.order.imagePath === imagePath) this.#current.thread.stop();
  }

  /**
   * Files of an image that have been verified so far; none unless it is being verified. It is the list itself: it goes on
   * growing, and a forged image empties it.
   */
  verifiedFiles({ imagePath }: VerificationOrder): readonly VerifiedFile[] {
    return this.#current?.order.imagePath === imagePath ? this.#current.thread.verified : [];
  }

  get state(): VerifierState<Order> {
    const current = this.#current && { order: this.#current.order, progress: this.#current.thread.progress };
    return { current, waiting: [...this.#waiting] };
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let order = this.#waiting.shift(); order !== undefined; order = this.#waiting.shift()) {
      const verdict = await this.#verdict(order);
      if (verdict !== undefined) this.#events.onVerdict(order, verdict);
    }
    this.#working = false;
    // Some 50 MB for an image with very many files.
    returnFreeMemory();
  }

  async #verdict(order: Order): Promise<Verdict | undefined> {
    try {
      const thread = new VerifierThread(order.imagePath, (batch) => this.#events.onBatch(order, batch));
      this.#current = { order, thread };
      const verdict = await thread.ended;
      if (verdict?.kind === 'forged' || verdict?.kind === 'unreadable') thread.distrust();
      return verdict;
    } catch (error) {
      // There are no resources for one more thread.
      return { kind: 'failed', problem: error instanceof Error ? error.message : String(error) };
    } finally {
      this.#current = undefined;
    }
  }

  /** Gives up what is under way and what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#current?.thread.stop();
    await this.#idle;
  }
}
