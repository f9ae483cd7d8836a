import type { Descriptor } from '../../linux/descriptor';
import { errorCode } from '../../linux/errno';
import { openProcess } from '../../linux/pidfd';
import { Readiness } from '../../linux/readiness';
import { endHolder, holderLives, startHolder, type HeldName, type HolderIdentity } from './holder';

export interface HolderEvents {
  /** A holder is there; to be written down before anything is said to be safe. */
  onStarted(holder: HolderIdentity): Promise<void>;
  /** Somebody has ended the holder; another one follows. */
  onEnded(): void;
  onFailure(error: unknown): void;
}

/** Sees to it that there is a holder as long as this process lives, and not two. */
export class HolderWatch {
  readonly #held: Readonly<Record<HeldName, number>>;
  readonly #events: HolderEvents;
  #holder: HolderIdentity | undefined;
  #process: Descriptor | undefined;
  #readiness: Readiness | undefined;
  #watching: Promise<void> = Promise.resolve();
  #stopping = false;

  /** @param held descriptors of this process, which stay its own. */
  constructor(held: Readonly<Record<HeldName, number>>, events: HolderEvents) {
    this.#held = held;
    this.#events = events;
  }

  /** Who keeps them at this moment. */
  get holder(): HolderIdentity | undefined {
    return this.#holder;
  }

  /** Resolves once a holder is there: `known`, where it lives, else a new one. */
  async begin(known: HolderIdentity | undefined): Promise<void> {
    const holder = known !== undefined && (await holderLives(known)) ? known : await this.#start();
    this.#holder = holder;
    this.#watching = this.#watch(holder);
  }

  /** Leaves the holder alone from here on. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#readiness?.cancel();
    await this.#watching;
  }

  /** Ends the holder too. */
  async endHolder(): Promise<void> {
    await this.stop();
    if (this.#holder !== undefined) await endHolder(this.#holder);
  }

  async #start(): Promise<HolderIdentity> {
    const holder = await startHolder(this.#held);
    await this.#events.onStarted(holder);
    return holder;
  }

  async #watch(first: HolderIdentity): Promise<void> {
    try {
      for (let holder = first; ;) {
        await this.#ended(holder);
        if (this.#stopping) return;
        this.#events.onEnded();
        holder = await this.#start();
        this.#holder = holder;
      }
    } catch (error) {
      this.#events.onFailure(error);
    }
  }

  /** Resolves when the process has ended, or nobody wants to know any more. A pidfd is readable then (pidfd_open(2)). */
  async #ended({ pid }: HolderIdentity): Promise<void> {
    try {
      this.#process = openProcess(pid);
    } catch (error) {
      if (errorCode(error) === 'ESRCH') return;
      throw error;
    }
    this.#readiness = new Readiness(this.#process);
    if (this.#stopping) this.#readiness.cancel();
    await this.#readiness.wait();
    this.#readiness[Symbol.dispose]();
    this.#process[Symbol.dispose]();
  }
}
