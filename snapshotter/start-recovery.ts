import { Gate } from '../erofs/compression/gate';
import type { Snapshot, SnapshotId } from './store/snapshot-table';

/** Snapshots that are looked at side by side: each waits for the disk and for the thread that attaches images. */
const AT_ONCE = 16;

/**
 * What has to be done for each snapshot after a start before it is used: for all of them in the background, for one of them at
 * once where somebody asks for it. A node may have thousands, and containerd need not wait for those that it does not ask for.
 */
export class StartRecovery {
  readonly #waiting: Map<SnapshotId, Snapshot>;
  readonly #underWay = new Map<SnapshotId, Promise<void>>();
  readonly #work: (snapshot: Snapshot) => Promise<void>;

  /** @param work must not reject. */
  constructor(snapshots: Iterable<Snapshot>, work: (snapshot: Snapshot) => Promise<void>) {
    this.#waiting = new Map(Array.from(snapshots, (snapshot) => [snapshot.id, snapshot]));
    this.#work = work;
  }

  /** Resolves once the work for this snapshot is done, or at once where there is none. */
  of(id: SnapshotId): Promise<void> {
    const snapshot = this.#waiting.get(id);
    if (snapshot === undefined) return this.#underWay.get(id) ?? Promise.resolve();
    this.#waiting.delete(id);
    const work = this.#work(snapshot).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, work);
    return work;
  }

  /** Does the work for all. */
  async all(): Promise<void> {
    const gate = new Gate(AT_ONCE);
    await Promise.all(Array.from(this.#waiting.keys(), (id) => gate.run(() => this.of(id))));
    await Promise.all(this.#underWay.values());
  }
}
