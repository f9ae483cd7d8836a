/** One way to look at pieces of work that take longer than they should. */
export interface SlowWorkOptions<Work> {
  /** After how many ms a piece of work counts as slow. */
  readonly thresholdMs: (work: Work) => number;
  /** Looks this often (ms) while there is work: how late a slow one is noticed. */
  readonly paceMs: number;
  /** A piece of work turned out to be slow; told once for each. */
  readonly onSlow: (work: Work, ageMs: number) => void;
  /** One that onSlow was told of has ended. */
  readonly onEnd: (work: Work, ageMs: number) => void;
}

interface Progress {
  /** On the clock of performance.now(). */
  readonly since: number;
  slow: boolean;
}

/**
 * Notices work that takes long. There is one timer for all of it and none while there is none, so what is done at once costs
 * two changes of a map, and an idle process is not woken up.
 */
export class SlowWork<Work extends object> implements Disposable {
  readonly #options: SlowWorkOptions<Work>;
  readonly #underWay = new Map<Work, Progress>();
  #timer: NodeJS.Timeout | undefined;
  #noticed = 0;
  #slow = 0;

  constructor(options: SlowWorkOptions<Work>) {
    this.#options = options;
  }

  /** How many pieces of work were noticed to be slow so far. */
  get noticed(): number {
    return this.#noticed;
  }

  /** How many of them have not ended yet. */
  get slow(): number {
    return this.#slow;
  }

  /** What is under way, the oldest first. */
  underWay(): Iterable<Work> {
    return this.#underWay.keys();
  }

  /** `work` is one object from here to ended(). */
  began(work: Work): void {
    this.#underWay.set(work, { since: performance.now(), slow: false });
    if (this.#timer === undefined) this.#arm();
  }

  ended(work: Work): void {
    const progress = this.#underWay.get(work);
    if (progress === undefined) return;
    this.#underWay.delete(work);
    if (!progress.slow) return;
    this.#slow -= 1;
    this.#options.onEnd(work, performance.now() - progress.since);
  }

  /** Looks no more. What is under way may still end. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  /** The timer stays where the work ends before it fires: to stop and start it for each piece would cost more. */
  #arm(): void {
    this.#timer = setTimeout(() => this.#look(), this.#options.paceMs).unref();
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#underWay.size === 0) return;
    const now = performance.now();
    for (const [work, progress] of this.#underWay) {
      const age = now - progress.since;
      if (progress.slow || age < this.#options.thresholdMs(work)) continue;
      progress.slow = true;
      this.#noticed += 1;
      this.#slow += 1;
      this.#options.onSlow(work, age);
    }
    this.#arm();
  }
}
