import { readTakeoverState } from '../../ishare/takeover/takeover-state';
import { endHolder, holderLives, type HolderIdentity } from '../../ishare/takeover/holder';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pseudorandom } from '../erofs/compressible-tree';
import type { ContainerHost } from '../harness/container-host';

/** What happens to the machine while an action is under way. */
export interface Disturbance {
  readonly name: string;
  /** The daemon goes away for a moment: calls that meet this may fail. */
  readonly endsDaemon: boolean;
  readonly happen: () => Promise<void>;
}

const NOTHING: Disturbance = { name: '', endsDaemon: false, happen: () => Promise.resolve() };
/** An action may be at any point of it when the disturbance comes (ms). */
const LATEST_MS = 400;
const HOLDER_LIMIT_MS = 10_000;

/** Ends daemons and holders and starts them again. */
export class Disturbances {
  /** Holders that were ended: none of them may be there again. */
  readonly ended: HolderIdentity[] = [];

  constructor(
    private readonly host: ContainerHost,
    private readonly name: string,
  ) {}

  /** What is drawn does not depend on `keepDaemon`, so that a round has the same actions with it and without. */
  draw(random: Pseudorandom, keepDaemon: boolean): Disturbance {
    const kind = random.below(12);
    const delay = random.below(LATEST_MS);
    const after = (work: () => Promise<void>) => async () => {
      await sleep(delay);
      await work();
    };
    if (kind === 0)
      return { name: 'the holder is killed', endsDaemon: false, happen: after(() => this.killHolder()) };
    if (kind > 3 || keepDaemon) return NOTHING;
    if (kind === 1) return { name: 'SIGTERM', endsDaemon: true, happen: after(() => this.#terminate()) };
    return { name: 'SIGKILL', endsDaemon: true, happen: after(() => this.#kill()) };
  }

  async #kill(): Promise<void> {
    await this.host.daemon(this.name).snapshotter.crash();
    await this.host.restart(this.name);
  }

  async #terminate(): Promise<void> {
    const { snapshotter } = this.host.daemon(this.name);
    if (!(await snapshotter.stop()) || snapshotter.exitCode !== 0)
      throw new Error(`the daemon did not end by itself: code ${snapshotter.exitCode}`);
    await this.host.restart(this.name);
  }

  /** Resolves once there is another one: without both, connections would end, as they must. */
  async killHolder(): Promise<void> {
    const { state } = this.host.daemon(this.name).snapshotter;
    const holder = (await readTakeoverState(state))?.holder;
    if (holder === undefined) throw new Error('there is no holder');
    await endHolder(holder);
    this.ended.push(holder);
    const deadline = Date.now() + HOLDER_LIMIT_MS;
    for (;;) {
      const next = (await readTakeoverState(state))?.holder;
      if (next !== undefined && next.startTime !== holder.startTime && (await holderLives(next))) return;
      if (Date.now() > deadline) throw new Error('no holder has followed the one that was killed');
      await sleep(20);
    }
  }

  /** Daemon and holder at once, and the mounts with them: what runs from them must be started anew. */
  async loseMounts(): Promise<void> {
    const { state } = this.host.daemon(this.name).snapshotter;
    const holder = (await readTakeoverState(state))?.holder;
    await this.host.daemon(this.name).snapshotter.crash();
    if (holder !== undefined) {
      await endHolder(holder);
      this.ended.push(holder);
    }
    await this.host.restart(this.name);
  }

  /** Containers go on meanwhile; nothing else may be under way, since clients of containerd would leave leases. */
  async restartContainerd(end: 'stop' | 'crash'): Promise<void> {
    await this.host.containerd[end]();
    await this.host.containerd.restart();
  }
}
