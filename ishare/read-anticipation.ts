import type { MaybePromise, NodeId } from '../fuse/file-system';
import type { FileOrder } from './file-order';

/** Most that is read of a file before anybody asks for it (bytes): the kernel's first READ of a large file. */
export const ANTICIPATED_BYTES = 256 * 1024;

/** After so many guesses in a row that came true, so many must fail before no more are acted on. */
const TRUST_MAX = 4;

/** Reads up to ANTICIPATED_BYTES from the start of a file, into `memory` or elsewhere. */
export type ReadStart = (node: NodeId, memory: Buffer) => MaybePromise<Buffer>;

interface Anticipated {
  readonly node: NodeId;
  /** Undefined where they could not be read. */
  bytes: MaybePromise<Buffer | undefined>;
}

/**
 * Reads the start of the file that will be opened next while its reader is busy with the one before: a client that
 * goes through a tree alone waits for each small file anew, and the serving thread waits for the client.
 * It guesses by the order in which the files were listed, and only for as long as its guesses come true.
 */
export class ReadAnticipation {
  /** The file that was read last. */
  #current: NodeId | undefined;
  /** The one that may be read next. */
  #guess: NodeId | undefined;
  #trust = 0;
  #anticipated: Anticipated | undefined;
  #memory: Buffer | undefined;

  constructor(
    private readonly order: Pick<FileOrder, 'after'>,
    private readonly readStart: ReadStart,
  ) {}

  /**
   * The start of a file that somebody reads, or undefined where nothing was read of it. It is the whole file where it is
   * shorter than ANTICIPATED_BYTES. It must be used at once, or as soon as it is there: the next prepare() changes it.
   */
  startOf(node: NodeId): MaybePromise<Buffer | undefined> {
    this.#follow(node);
    const anticipated = this.#anticipated;
    if (anticipated?.node !== node) return undefined;
    return anticipated.bytes;
  }

  /** To be called when no request waits: reads what may be wanted next, or begins to. */
  prepare(): void {
    const guess = this.#guess;
    if (guess === undefined || this.#trust === 0 || this.#anticipated?.node === guess) return;
    // Its memory is in use.
    if (this.#anticipated?.bytes instanceof Promise) return;
    this.#memory ??= Buffer.allocUnsafeSlow(ANTICIPATED_BYTES);
    const bytes = this.#read(guess, this.#memory);
    const anticipated: Anticipated = { node: guess, bytes };
    this.#anticipated = anticipated;
    if (bytes instanceof Promise) void bytes.then((read) => (anticipated.bytes = read));
  }

  #follow(node: NodeId): void {
    if (node === this.#current) return;
    if (this.#guess !== undefined) {
      const right = node === this.#guess;
      this.#trust = right ? Math.min(this.#trust + 1, TRUST_MAX) : Math.max(this.#trust - 1, 0);
    }
    this.#current = node;
    this.#guess = this.order.after(node);
  }

  /** A failure is not told here: whoever wants the bytes reads them anew and sees it. */
  #read(node: NodeId, memory: Buffer): MaybePromise<Buffer | undefined> {
    try {
      const bytes = this.readStart(node, memory);
      return bytes instanceof Promise ? bytes.catch(() => undefined) : bytes;
    } catch {
      return undefined;
    }
  }
}
