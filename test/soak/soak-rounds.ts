import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { holderLives } from '../../ishare/takeover/holder';
import { readMountTable } from '../../linux/mount-table';
import { overlayLayers } from '../../linux/overlay-layers';
import { CHECKOUT } from '../../scripts/containerd/private-snapshotter';
import { CommandError, runCommand } from '../../scripts/process/command';
import { Pseudorandom } from '../erofs/compressible-tree';
import type { ContainerHost, Daemon, Place } from '../harness/container-host';
import { actualCounts, expectedCounts } from './counts';
import { Disturbances, type Disturbance } from './disturbances';
import { idleCounts, type IdleCounts } from './idle-counts';
import { SoakActions, type Action } from './soak-actions';
import type { SoakImage } from './soak-images';
import { SoakModel } from './soak-model';

/** Layers are detached after 5 s, and what containerd collects takes a moment; the rest is for a busy machine (ms). */
const SETTLE_LIMIT = 30_000;
/** After this long without work layers are detached, and threads end that are old enough (ms). */
const IDLE_MS = 5_500;
const ATTEMPTS = 5;
/** Of each log, when a round fails. */
const LAST_LINES = 25;

/** What the rounds did so far. */
export interface Tally {
  actions: number;
  /** What happened to the machine, meanwhile or as an action of its own, by name. */
  readonly disturbances: Map<string, number>;
  /** Actions that failed because the daemon went away, and were done again. */
  repeated: number;
}

/** Rounds that begin and end with nothing there: no container, no image, no snapshot. */
export class SoakRounds {
  readonly tally: Tally = { actions: 0, disturbances: new Map(), repeated: 0 };
  readonly #model = new SoakModel();
  readonly #actions: SoakActions;
  readonly #disturbances: Disturbances;
  readonly #daemon: Daemon;
  #idle: IdleCounts | undefined;
  /** What was done in this round, for whoever has to find out why it failed. */
  #story: string[] = [];

  constructor(
    private readonly host: ContainerHost,
    private readonly place: Place,
    catalogue: readonly SoakImage[],
  ) {
    this.#daemon = host.daemon(place.snapshotter);
    this.#disturbances = new Disturbances(host, place.snapshotter);
    this.#actions = new SoakActions(host, place, this.#model, this.#disturbances, catalogue);
  }

  /**
   * A round of so many actions; the seed decides them all. The first round's counts at its end are what those of the
   * others are compared with.
   *
   * @param keepDaemon containerd and the holder are ended as always, but not the daemon.
   */
  async run(seed: number, count: number, keepDaemon: boolean): Promise<void> {
    // Seeds are in a row, and near ones must not begin alike.
    const random = new Pseudorandom(Math.imul(seed, 2_654_435_761));
    this.#story = [];
    this.#actions.keepDaemon = keepDaemon;
    try {
      for (let done = 0; done < count; done += 1) await this.#act(random, keepDaemon);
      await this.#settle();
      await this.#actions.removeEverything();
      await this.#settle();
      await this.#compareIdle();
    } catch (error) {
      const repeat = `ISHARE_SOAK_SEED=${seed} begins with this round${keepDaemon ? ' (the daemon was kept)' : ''}`;
      const told = [`${repeat}:`, ...this.#story.map((line) => `  ${line}`), messageOf(error)];
      throw new Error([...told, ...(await this.#evidence())].join('\n'), { cause: error });
    }
  }

  /** What goes with the host: its mounts with what their roots and layers hold, and the ends of both logs. */
  async #evidence(): Promise<string[]> {
    const mounts = (await readMountTable()).filter(({ target }) =>
      target.startsWith(`${this.host.directory}/`),
    );
    const layers = mounts.flatMap((entry) => overlayLayers(entry).lower);
    const directories = [...new Set([...mounts.map(({ target }) => target), ...layers])];
    const listings = directories.map((directory) =>
      readdir(directory).then(
        (names) => `${directory}: ${names.join(' ')}`,
        (error: unknown) => messageOf(error),
      ),
    );
    const logs = [this.#daemon.snapshotter.logFile, this.host.containerd.logFile];
    const ends = await Promise.all(
      logs.map(async (log) => (await readFile(log, 'utf8')).split('\n').slice(-LAST_LINES)),
    );
    const options = mounts.map(({ target, superOptions }) => `${target} ${superOptions.join()}`);
    return [
      ...options,
      ...(await Promise.all(listings)),
      ...(await this.#knownToContainerd()),
      ...ends.flat(),
    ];
  }

  /** Whatever may keep containerd from collecting something. */
  async #knownToContainerd(): Promise<string[]> {
    const { containerd } = this.host;
    const ask = async (...words: string[]): Promise<string> =>
      `${words.join(' ')}:\n${await containerd.ctr(words, this.place).catch(messageOf)}`;
    const lists = [['images'], ['containers'], ['leases'], ['content'], ['tasks']];
    const told = await Promise.all(lists.map((words) => ask(...words, 'list')));
    const snapshots = ['snapshots', '--snapshotter', this.place.snapshotter];
    const names = (await containerd.ctr([...snapshots, 'list'], this.place).catch(() => ''))
      .split('\n')
      .slice(1);
    for (const line of names) {
      const [name = ''] = line.trim().split(/\s+/);
      if (name !== '') told.push(await ask(...snapshots, 'info', name));
    }
    // Whether the next collection takes what is left tells whether anything needs it.
    await this.#actions.collect();
    told.push('after another collection:', await ask(...snapshots, 'list'));
    return told;
  }

  async #act(random: Pseudorandom, keepDaemon: boolean): Promise<void> {
    const action = this.#actions.choose(random);
    const perform = action.draw(random);
    const drawn = this.#disturbances.draw(random, keepDaemon);
    const disturbance = action.undisturbed === true ? undefined : drawn;
    const { name } = disturbance ?? drawn;
    const disturbed = disturbance !== undefined && name !== '';
    this.#story.push(disturbed ? `${action.name}; meanwhile ${name}` : action.name);
    this.tally.actions += 1;
    if (!disturbed) {
      if (action.undisturbed === true) this.#count(action.name);
      await perform();
      return;
    }
    this.#count(name);
    // Both are waited for, so that nothing goes on behind a failure.
    const happening = disturbance.happen();
    const [acted, happened] = await Promise.allSettled([
      this.#persist(action, perform, disturbance, happening),
      happening,
    ]);
    for (const outcome of [happened, acted]) if (outcome.status === 'rejected') throw outcome.reason;
  }

  #count(name: string): void {
    this.tally.disturbances.set(name, (this.tally.disturbances.get(name) ?? 0) + 1);
  }

  /** Does an action until it succeeds, where it may fail. */
  async #persist(
    action: Action,
    perform: () => Promise<void>,
    disturbance: Disturbance,
    happening: Promise<void>,
  ): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await perform();
        return;
      } catch (error) {
        const excused = action.asks === true && disturbance.endsDaemon && error instanceof CommandError;
        if (!excused || attempt === ATTEMPTS) throw error;
        this.tally.repeated += 1;
        this.#story.push(`  failed: ${messageOf(error).slice(0, 300)}`);
        await happening;
        await this.#actions.sweep();
      }
    }
  }

  /** Has garbage collected, and compares everything with the model. */
  async #settle(): Promise<void> {
    await this.#actions.collect();
    await agreement(
      () => actualCounts(this.host, this.place),
      expectedCounts(this.#model, this.host, this.place),
    );
    const left = await Promise.all(this.#disturbances.ended.map((holder) => holderLives(holder)));
    expect(left).not.toContain(true);
    const { root, state, adminSocket } = this.#daemon.snapshotter;
    const flags = ['--root', root, '--state', state, '--admin-address', adminSocket];
    // Rejects unless it finds nothing.
    await runCommand(join(CHECKOUT, 'bin', 'ishare'), ['doctor', ...flags], { timeLimit: SETTLE_LIMIT });
  }

  async #compareIdle(): Promise<void> {
    const look = (): Promise<IdleCounts> => idleCounts(this.#daemon);
    if (this.#idle !== undefined) {
      await agreement(look, this.#idle);
      return;
    }
    const deadline = Date.now() + SETTLE_LIMIT;
    let idle = await look();
    for (;;) {
      // Work that is still going on shows in what changes.
      await sleep(IDLE_MS);
      const later = await look();
      if (JSON.stringify(later) === JSON.stringify(idle)) break;
      if (Date.now() > deadline)
        throw new Error(`the daemon does not come to rest: ${JSON.stringify(later)}`);
      idle = later;
    }
    expect(idle).toMatchObject({ sharedInodes: 0, openFiles: 0, backingIds: 0, attachmentRows: 0 });
    this.#idle = idle;
  }
}

/** Waits until what is there is what is expected, and throws the difference otherwise. */
async function agreement<Counted>(look: () => Promise<Counted>, expected: Counted): Promise<void> {
  const deadline = Date.now() + SETTLE_LIMIT;
  for (;;) {
    const found = await look();
    try {
      expect(found).toEqual(expected);
      return;
    } catch (difference) {
      if (Date.now() > deadline) throw difference;
    }
    await sleep(200);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
