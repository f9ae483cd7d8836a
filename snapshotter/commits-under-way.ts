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
  readonly progress: LayerImageProgress;
}

interface Commit {
  readonly key: string;
  readonly name: string;
  /** On the clock of performance.now(). */
  readonly since: number;
  building: boolean;
  progress: LayerImageProgress;
}

const NOTHING: LayerImageProgress = { inodes: 0, totalInodes: 0, bytes: 0, totalBytes: 0 };

/** The queue of images that are to be made, as an operator wants to see it. */
export class CommitsUnderWay {
  readonly #commits = new Map<string, Commit>();

  has(key: string): boolean {
    return this.#commits.has(key);
  }

  began(key: string, name: string): void {
    this.#commits.set(key, { key, name, since: performance.now(), building: false, progress: NOTHING });
  }

  building(key: string): void {
    const commit = this.#commits.get(key);
    if (commit !== undefined) commit.building = true;
  }

  progressed(key: string, progress: LayerImageProgress): void {
    const commit = this.#commits.get(key);
    if (commit !== undefined) commit.progress = progress;
  }

  ended(key: string): void {
    this.#commits.delete(key);
  }

  /** In the order in which they came. */
  list(): CommitUnderWay[] {
    const now = performance.now();
    return Array.from(this.#commits.values(), ({ since, ...commit }) => ({
      ...commit,
      seconds: (now - since) / 1000,
    }));
  }
}
