import type { Logger } from 'winston';
import type { LayerAttachment, LayerServer, MergedLayers } from '../ishare/layer-server';
import { UnimplementedError } from './errors';
import { mountOfLayer } from './mount-users';

interface Entry {
  readonly attachmentId: number;
  /** Ids of the snapshots that need the layer; below zero, of the merged layers that do: see `asUser`. */
  readonly users: Set<number>;
  /** It is of merged layers, and the user of those. */
  readonly merged: boolean;
  /** Attaching and detaching of one layer never overlap: each waits for the one before. */
  turn: Promise<void>;
  /** Set while the layer is attached or being attached. */
  directory: Promise<string> | undefined;
  linger: NodeJS.Timeout | undefined;
}

export interface LayerUsesOptions {
  /** How long a layer stays attached after its last user has gone, in ms: unpacking uses the same parents again and again. */
  readonly lingerMs: number;
  /** Nothing is detached before this resolves; must not reject. At once, where it is left out. */
  readonly mayDetach?: () => Promise<void>;
  /** A layer is attached no longer. */
  readonly onDetached?: () => void;
  readonly logger: Logger;
}

/** Counts which active snapshots and views need which layers, and has the layer server attach and detach them. */
export class LayerUses {
  readonly #server: LayerServer;
  readonly #options: LayerUsesOptions;
  readonly #entries = new Map<number, Entry>();

  constructor(server: LayerServer, options: LayerUsesOptions) {
    this.#server = server;
    this.#options = options;
  }

  /**
   * Notes that a snapshot needs these layers and resolves to their directories, in the same order, once all are
   * attached. If one cannot be, rejects with the first error; the snapshot still counts as their user until released,
   * and a later call tries again.
   */
  async use(snapshotId: number, layers: readonly LayerAttachment[]): Promise<string[]> {
    const attaching = layers.map((layer) =>
      this.#attach(this.#entry(layer.attachmentId, false), snapshotId, () => this.#server.attach(layer)),
    );
    // Waits for all, so that nothing is still being attached when the caller gives up and releases.
    await Promise.allSettled(attaching);
    return Promise.all(attaching);
  }

  /**
   * The same for merged layers, which have one directory. As long as they are attached, and those who need them are gone
   * for no longer than the linger time, they need their layers.
   */
  async useMerged(
    snapshotId: number,
    merged: MergedLayers,
    layers: readonly LayerAttachment[],
  ): Promise<string> {
    const { attachmentId } = merged;
    return this.#attach(this.#entry(attachmentId, true), snapshotId, async () => {
      await this.use(asUser(attachmentId), layers);
      if (this.#server.attachMerged === undefined)
        throw new UnimplementedError(`${merged.label}: merged layers cannot be served here`);
      return this.#server.attachMerged(merged);
    });
  }

  /** The snapshot needs its layers no longer. Those without another user are detached after the linger time. */
  release(snapshotId: number): void {
    this.#release(snapshotId, this.#options.lingerMs);
  }

  #release(user: number, lingerMs: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.users.delete(user) && entry.users.size === 0) this.#lingerThenDetach(entry, lingerMs);
    }
  }

  /** Ids of the attachments that are attached, whether a snapshot needs them or they linger. */
  attached(): number[] {
    return Array.from(this.#entries.keys());
  }

  /**
   * Detaches layers that nobody uses at once, because their images go; those that are mounted, once they are not. Rejects
   * when the layer server does.
   */
  async drop(attachmentIds: readonly number[]): Promise<void> {
    const entries = attachmentIds.map((id) => this.#entries.get(id)).filter((entry) => entry !== undefined);
    await mergedFirst(entries, (entry) => this.#drop(entry));
  }

  async #drop(entry: Entry): Promise<void> {
    if (inUse(entry)) return;
    const mounted = await this.#isMounted(entry);
    // Asked for again meanwhile.
    if (inUse(entry)) return;
    if (mounted) this.#lingerThenDetach(entry);
    else await this.#detach(entry);
  }

  /** Detaches all layers that only linger. Those in use stay attached: containers outlive this process. */
  async close(): Promise<void> {
    await mergedFirst([...this.#entries.values()], async (entry) => {
      if (!inUse(entry)) await this.#detachOrWarn(entry);
    });
  }

  #attach(entry: Entry, user: number, attach: () => Promise<string>): Promise<string> {
    entry.users.add(user);
    clearTimeout(entry.linger);
    entry.linger = undefined;
    if (entry.directory !== undefined) return entry.directory;
    const directory = entry.turn.then(attach);
    entry.directory = directory;
    entry.turn = directory.then(
      () => undefined,
      () => {
        if (entry.directory === directory) entry.directory = undefined;
      },
    );
    return directory;
  }

  #entry(attachmentId: number, merged: boolean): Entry {
    const known = this.#entries.get(attachmentId);
    if (known !== undefined) return known;
    const entry: Entry = {
      attachmentId,
      merged,
      users: new Set(),
      turn: Promise.resolve(),
      directory: undefined,
      linger: undefined,
    };
    this.#entries.set(attachmentId, entry);
    return entry;
  }

  #lingerThenDetach(entry: Entry, lingerMs = this.#options.lingerMs): void {
    clearTimeout(entry.linger);
    entry.linger = setTimeout(() => void this.#detachUnlessMounted(entry), lingerMs).unref();
  }

  /** Snapshots may be removed while they are mounted; their files stay readable. */
  async #detachUnlessMounted(entry: Entry): Promise<void> {
    const { linger } = entry;
    const mounted = await this.#isMounted(entry);
    // Somebody asked for the layer meanwhile, or it was dropped.
    if (entry.linger !== linger) return;
    if (mounted) this.#lingerThenDetach(entry);
    else await this.#detachOrWarn(entry);
  }

  /** Told once something may be detached at all: the attaching that this waits for may be that of the same layer. */
  async #isMounted(entry: Entry): Promise<boolean> {
    await this.#options.mayDetach?.();
    return isMounted(entry);
  }

  async #detachOrWarn(entry: Entry): Promise<void> {
    try {
      await this.#detach(entry);
    } catch (error) {
      this.#options.logger.warn('cannot detach a layer', { attachmentId: entry.attachmentId, error });
    }
  }

  async #detach(entry: Entry): Promise<void> {
    clearTimeout(entry.linger);
    entry.linger = undefined;
    entry.directory = undefined;
    const detaching = entry.turn.then(() => this.#server.detach(entry.attachmentId));
    // The outcome is for the caller alone; the next turn begins either way.
    entry.turn = detaching.catch(() => undefined);
    await detaching;
    if (!isIdle(entry)) return;
    this.#entries.delete(entry.attachmentId);
    // Its layers have lingered with it.
    if (entry.merged) this.#release(asUser(entry.attachmentId), 0);
    this.#options.onDetached?.();
  }
}

/** Merged layers as users of their layers: apart from snapshots, whose ids are above zero. */
function asUser(attachmentId: number): number {
  return -attachmentId;
}

/** Merged layers go before what they are made of. */
async function mergedFirst(entries: readonly Entry[], work: (entry: Entry) => Promise<void>): Promise<void> {
  await Promise.all(entries.filter(({ merged }) => merged).map(work));
  await Promise.all(entries.filter(({ merged }) => !merged).map(work));
}

/** Neither used nor attached: nobody has asked for the layer while it was detached. */
function isIdle(entry: Entry): boolean {
  return !inUse(entry) && entry.directory === undefined;
}

function inUse({ users }: Entry): boolean {
  return users.size > 0;
}

/** Never rejects: a mount table that cannot be read keeps nothing attached. */
async function isMounted({ directory }: Entry): Promise<boolean> {
  try {
    return directory !== undefined && (await mountOfLayer(await directory)) !== undefined;
  } catch {
    return false;
  }
}
