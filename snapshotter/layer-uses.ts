import type { Logger } from 'winston';
import type { LayerAttachment, LayerServer } from '../ishare/layer-server';
import { mountOfLayer } from './mount-users';

interface Entry {
  readonly attachmentId: number;
  /** Ids of the snapshots that need the layer. */
  readonly users: Set<number>;
  /** Attaching and detaching of one layer never overlap: each waits for the one before. */
  turn: Promise<void>;
  /** Set while the layer is attached or being attached. */
  directory: Promise<string> | undefined;
  linger: NodeJS.Timeout | undefined;
}

export interface LayerUsesOptions {
  /** How long a layer stays attached after its last user has gone, in ms: unpacking uses the same parents again and again. */
  readonly lingerMs: number;
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
    const attaching = layers.map((layer) => this.#attach(layer, snapshotId));
    // Waits for all, so that nothing is still being attached when the caller gives up and releases.
    await Promise.allSettled(attaching);
    return Promise.all(attaching);
  }

  /** The snapshot needs its layers no longer. Those without another user are detached after the linger time. */
  release(snapshotId: number): void {
    for (const entry of this.#entries.values()) {
      if (entry.users.delete(snapshotId) && entry.users.size === 0) this.#lingerThenDetach(entry);
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
    await Promise.all(
      attachmentIds.map(async (id) => {
        const entry = this.#entries.get(id);
        if (entry === undefined || inUse(entry)) return;
        const mounted = await isMounted(entry);
        // Asked for again meanwhile.
        if (inUse(entry)) return;
        if (mounted) this.#lingerThenDetach(entry);
        else await this.#detach(entry);
      }),
    );
  }

  /** Detaches all layers that only linger. Those in use stay attached: containers outlive this process. */
  async close(): Promise<void> {
    const idle = Array.from(this.#entries.values()).filter((entry) => !inUse(entry));
    await Promise.all(idle.map((entry) => this.#detachOrWarn(entry)));
  }

  #attach(layer: LayerAttachment, snapshotId: number): Promise<string> {
    const entry = this.#entry(layer.attachmentId);
    entry.users.add(snapshotId);
    clearTimeout(entry.linger);
    entry.linger = undefined;
    if (entry.directory !== undefined) return entry.directory;
    const directory = entry.turn.then(() => this.#server.attach(layer));
    entry.directory = directory;
    entry.turn = directory.then(
      () => undefined,
      () => {
        if (entry.directory === directory) entry.directory = undefined;
      },
    );
    return directory;
  }

  #entry(attachmentId: number): Entry {
    const known = this.#entries.get(attachmentId);
    if (known !== undefined) return known;
    const entry: Entry = {
      attachmentId,
      users: new Set(),
      turn: Promise.resolve(),
      directory: undefined,
      linger: undefined,
    };
    this.#entries.set(attachmentId, entry);
    return entry;
  }

  #lingerThenDetach(entry: Entry): void {
    clearTimeout(entry.linger);
    entry.linger = setTimeout(() => void this.#detachUnlessMounted(entry), this.#options.lingerMs).unref();
  }

  /** Snapshots may be removed while they are mounted; their files stay readable. */
  async #detachUnlessMounted(entry: Entry): Promise<void> {
    const { linger } = entry;
    const mounted = await isMounted(entry);
    // Somebody asked for the layer meanwhile, or it was dropped.
    if (entry.linger !== linger) return;
    if (mounted) this.#lingerThenDetach(entry);
    else await this.#detachOrWarn(entry);
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
    this.#options.onDetached?.();
  }
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
