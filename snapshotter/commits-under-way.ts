import { FailedPreconditionError } from './errors';
import type { LayerImageProgress } from './image-building';

/** A commit, or the unpacking of a layer, that is not done yet. */
export interface CommitUnderWay {
  /** Of the active snapshot. */
  readonly key: string;
  /** That it will have as a committed one; where a layer is unpacked, the digest of its blob. */
  readonly name: string;
  /** Its image is being made; false: it waits for its turn. */
  readonly building: boolean;
  /** Since the call came. */
  readonly seconds: number;
  /** Undefined as long as nothing is known. */
  readonly progress: LayerImageProgress | undefined;
  /** Bytes a second in the present stage; 0 as long as that is not known. */
  readonly rate: number;
}

interface Commit {
  readonly key: string;
  readonly name: string;
  /** On the clock of performance.now(). */
  readonly since: number;
  building: boolean;
  progress: LayerImageProgress | undefined;
  /** What was told first of the present stage, and when. */
  stage: { readonly name: string; readonly since: number; readonly bytes: number } | undefined;
}

/** The queue of images that are to be made, as an operator wants to see it. */
export class CommitsUnderWay {
  readonly #commits = new Map<string, Commit>();
  #done = 0;
  #failed = 0;

  /** Whether nothing is under way. */
  get idle(): boolean {
    return this.#commits.size === 0;
  }

  /** Images that were made so far. */
  get done(): number {
    return this.#done;
  }

  /** Images whose making failed or was given up. */
  get failed(): number {
    return this.#failed;
  }

  /** Does work on an active snapshot as a part of what is shown as under way; no two such may be about the same. */
  async run<Result>(key: string, name: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#commits.has(key))
      throw new FailedPreconditionError(`snapshot "${key}" is being unpacked or committed already`);
    const since = performance.now();
    this.#commits.set(key, { key, name, since, building: false, progress: undefined, stage: undefined });
    try {
      const result = await work();
      this.#ended(key, 'done');
      return result;
    } catch (error) {
      this.#ended(key, 'failed');
      throw error;
    }
  }

  building(key: string): void {
    const commit = this.#commits.get(key);
    if (commit !== undefined) commit.building = true;
  }

  progressed(key: string, progress: LayerImageProgress): void {
    const commit = this.#commits.get(key);
    if (commit === undefined) return;
    commit.progress = progress;
    const { stage: name, bytes } = progress;
    if (commit.stage?.name !== name) commit.stage = { name, since: performance.now(), bytes };
  }

  /** In the order in which they came. */
  list(): CommitUnderWay[] {
    const now = performance.now();
    return Array.from(this.#commits.values(), ({ since, stage, ...commit }) => ({
      ...commit,
      seconds: (now - since) / 1000,
      rate: rateOf(stage, commit.progress, now),
    }));
  }

  #ended(key: string, outcome: 'done' | 'failed'): void {
    // What was unpacked before is committed without making anything.
    if (this.#commits.get(key)?.building === true) {
      if (outcome === 'done') this.#done += 1;
      else this.#failed += 1;
    }
    this.#commits.delete(key);
  }
}

function rateOf(stage: Commit['stage'], progress: LayerImageProgress | undefined, now: number): number {
  if (stage === undefined || progress === undefined || now <= stage.since) return 0;
  return ((progress.bytes - stage.bytes) * 1000) / (now - stage.since);
}
