import type { ImageMount } from '../../../ishare/image-mount';
import { startMount, type MountOrder } from './mount-order';
import { SignalQueue, type EndSignal } from './signal-queue';

/** How long an unmounted mount may take to end before a user is told that it is in use elsewhere (ms). */
const PATIENCE_MS = 500;

export interface ServeEvents {
  /** The mount answers. Rejecting takes it away again. */
  mounted(mount: ImageMount): Promise<void>;
  /** Something that whoever sits before the terminal should know. */
  say(text: string): void;
}

/**
 * Mounts an image and serves it to its end. Returns the exit code: 0 where it was unmounted in order, by whomever, 1 where
 * its connection was aborted or it was given up while in use.
 *
 * SIGINT unmounts where nobody uses the mount, and says so where somebody does; a second one takes it out of the tree all
 * the same. SIGTERM and SIGHUP do that at once, since who sends them does not read what is said. Those who use a mount
 * that is out of the tree are served until they are done; one more signal gives them up.
 */
export async function serveMount(order: MountOrder, events: ServeEvents): Promise<number> {
  // From the start, so that a signal that comes while it is being mounted leaves nothing behind.
  using signals = new SignalQueue();
  const onFault = (operation: string, error: unknown): void =>
    events.say(`${operation}: ${error instanceof Error ? error.message : String(error)}`);
  await using mount = await startMount(order, onFault);
  await events.mounted(mount);
  const ending = new Ending(order.directory, mount, events);
  const ended = mount.ended();
  for (;;) {
    const event = await Promise.race([ended, signals.next]);
    switch (event) {
      case 'unmounted':
        return 0;
      case 'aborted':
        events.say(`${order.directory}: its connection was aborted; it is unmounted`);
        return 1;
      default:
        signals.take();
        if ((await ending.signalled(event)) === 'given up') return 1;
    }
  }
}

/** How far signals have come with a mount. */
class Ending {
  #stage: 'mounted' | 'refused' | 'last warning' = 'mounted';

  constructor(
    private readonly directory: string,
    private readonly mount: ImageMount,
    private readonly events: ServeEvents,
  ) {}

  async signalled(signal: EndSignal): Promise<'serving' | 'given up'> {
    if (this.#stage === 'last warning') return 'given up';
    if (signal === 'SIGINT' && this.#stage === 'mounted') {
      if ((await this.mount.unmount()) === 'busy') {
        this.#stage = 'refused';
        this.events.say(`${this.directory}: target is busy; Ctrl-C again detaches it`);
        return 'serving';
      }
      this.#warnLater('still in use');
    } else {
      const covered = (await this.mount.detach()) === 'covered';
      this.#warnLater(covered ? 'something is mounted over it' : 'still in use');
    }
    this.#stage = 'last warning';
    return 'serving';
  }

  #warnLater(problem: string): void {
    const timer = setTimeout(() => {
      this.events.say(
        `${this.directory}: ${problem}; it is served until it is not, or until one more Ctrl-C`,
      );
    }, PATIENCE_MS);
    // When the end comes first, nothing is said.
    timer.unref();
    this.mount.ended().then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  }
}
