import { ENCODERS } from './encoder-settings';
import type { CompressionChoice } from './compression-choice';
import type { ContentFeed } from './content';
import type { ContentCrew } from './content-crew';
import {
  BATCH_SIZE,
  outputSize,
  PLAIN_BATCH_SIZE,
  type ContentResult,
  type ContentTask,
  type PieceOrder,
  type PieceResult,
} from './content-task';
import { SourceChangedError } from './errors';
import { FileAssembly, plainTail, type AssemblyCompression } from './file-assembly';
import { fingerprintValue } from './fingerprint-xattr';
import { BLOCK_SIZE, INLINE_TAIL_MAX } from './geometry';
import type { ProgressMeter } from './progress';
import type { SequentialOutput } from './sequential-output';
import type { Spool } from './spool';
import type { StoredContent } from './stored-content';

/** A file whose content is to be stored. */
export interface IncomingFile {
  /** Bytes, at least 1. */
  readonly size: number;
  /** Files with other numbers may be hashed by other threads. */
  readonly serial: number;
  /** Path inside the image, for rules and messages. */
  shown(): string;
  /** Called once all of it is written, or as good as. */
  onStored(content: StoredContent): void;
}

/** Memory of a batch. */
interface Slot {
  readonly input: SharedArrayBuffer;
  /** Undefined: nothing is encoded. */
  readonly output: SharedArrayBuffer | undefined;
}

interface Piece {
  readonly file: IncomingFile;
  readonly order: PieceOrder;
  /** Number of the settings of the whole file. */
  readonly settings: number | undefined;
  readonly first: boolean;
  readonly final: boolean;
  /** Files of several pieces: how far their digest is. */
  readonly hash: Promise<ContentResult> | undefined;
}

/** Pieces that are worked on together. */
interface Batch {
  readonly slot: Slot;
  readonly pieces: readonly Piece[];
  readonly results: Promise<ContentResult | undefined>;
}

/** Bytes of an index: its header, and the largest entries. Compression must save more than that. */
const INDEX_HEAD = 16;
const INDEX_PER_BLOCK = 4;

/**
 * Takes in the content of files, has it hashed and compressed by the crew, and writes it, all at the same time; what the
 * image gets depends on neither the crew nor its pace. Memory holds a few batches.
 */
export class ContentStore {
  /** Bytes of a batch. */
  readonly #batchSize: number;
  readonly #free: Slot[] = [];
  readonly #underWay: Batch[] = [];
  #slots = 0;
  #slot: Slot | undefined;
  #pieces: Piece[] = [];
  #used = 0;
  #assembly: FileAssembly | undefined;

  constructor(
    private readonly output: SequentialOutput,
    private readonly spool: Spool,
    private readonly crew: ContentCrew,
    private readonly choice: CompressionChoice,
    private readonly meter: ProgressMeter,
    /** Bytes of all that will come, as far as they are known. */
    private readonly expectedBytes = Number.POSITIVE_INFINITY,
  ) {
    this.#batchSize = choice.settings.length > 0 ? BATCH_SIZE : PLAIN_BATCH_SIZE;
  }

  /**
   * Takes a file that is not empty. Throws SourceChangedError where the content is not of the size that was promised,
   * and what the feed throws.
   */
  async add(file: IncomingFile, feed: ContentFeed): Promise<void> {
    const settings = this.choice.for(() => file.shown());
    for (let offset = 0; offset < file.size;) {
      const length = Math.min(this.#batchSize, file.size - offset);
      if (this.#used + length > this.#batchSize) await this.#dispatch();
      this.#slot ??= await this.#takeSlot();
      await this.#read(feed, Buffer.from(this.#slot.input, this.#used, length), file);
      const final = offset + length === file.size;
      // The source knows best what happened to it, so it is asked before anything becomes of its last bytes.
      if (final) feed.verify();
      this.#addPiece(file, this.#slot, { offset, length, final, settings });
      offset += length;
    }
  }

  /** Everything that was added is written after this. */
  async finish(): Promise<void> {
    await this.#dispatch();
    while (this.#underWay.length > 0) await this.#retire();
  }

  #addPiece(
    file: IncomingFile,
    slot: Slot,
    piece: { offset: number; length: number; final: boolean; settings: number | undefined },
  ): void {
    const { length, final } = piece;
    const first = piece.offset === 0;
    const inlineMax = final && this.choice.inlineTails ? INLINE_TAIL_MAX : 0;
    const plainBytes =
      plainCost(length, final) - INDEX_HEAD - INDEX_PER_BLOCK * Math.ceil(length / BLOCK_SIZE);
    const encodable = plainBytes > 0 && (length > BLOCK_SIZE || inlineMax > 0);
    const settings = encodable ? piece.settings : undefined;
    const offset = this.#used;
    const whole = first && final;
    const order: PieceOrder = { offset, length, whole, settings, inlineMax, plainBytes };
    let hash: Promise<ContentResult> | undefined;
    if (!whole) {
      const task: ContentTask = { kind: 'hash', input: slot.input, offset, length, last: final };
      hash = awaitedLater(this.crew.run(task, file.serial));
    }
    this.#pieces.push({ file, order, settings: piece.settings, first, final, hash });
    this.#used += length;
  }

  async #read(feed: ContentFeed, target: Buffer, file: IncomingFile): Promise<void> {
    for (let done = 0; done < target.length;) {
      const given = feed.read(target.subarray(done));
      // Most trees are of small files, whose bytes are there at once.
      const count = typeof given === 'number' ? given : await given;
      if (count === 0) {
        feed.verify();
        throw new SourceChangedError(file.shown(), `ended before its ${file.size} bytes`);
      }
      done += count;
      this.meter.countContent(count);
      if (this.meter.due()) await this.meter.breathe();
    }
  }

  /** As many slots as keep everybody busy while one is filled and one is written. */
  async #takeSlot(): Promise<Slot> {
    if (this.#free.length === 0 && this.#slots > this.crew.size + 1) await this.#retire();
    const free = this.#free.pop();
    if (free !== undefined) return free;
    this.#slots++;
    const { settings } = this.choice;
    // Small images must not cost what large ones do.
    const inputSize = Math.min(this.#batchSize, this.expectedBytes);
    return {
      input: new SharedArrayBuffer(inputSize),
      output: settings.length > 0 ? new SharedArrayBuffer(outputSize(inputSize, settings)) : undefined,
    };
  }

  async #dispatch(): Promise<void> {
    const slot = this.#slot;
    if (slot === undefined) return;
    const pieces = this.#pieces;
    this.#slot = undefined;
    this.#pieces = [];
    this.#used = 0;
    const orders = pieces.map(({ order }) => order);
    const idle = orders.every(({ whole, settings }) => !whole && settings === undefined);
    const results = idle
      ? Promise.resolve(undefined)
      : awaitedLater(this.crew.run({ kind: 'pieces', ...slot, pieces: orders }));
    this.#underWay.push({ slot, pieces, results });
    // The calling thread has done its task by now: nothing is won by waiting.
    if (this.crew.size === 0) await this.#retire();
  }

  /** Writes the oldest batch. */
  async #retire(): Promise<void> {
    const batch = this.#underWay.shift();
    if (batch === undefined) return;
    const { slot, pieces } = batch;
    const answer = await batch.results;
    const results = answer?.kind === 'pieces' ? answer.results : [];
    for (const [index, piece] of pieces.entries()) await this.#write(slot, piece, results[index]);
    this.#free.push(slot);
  }

  async #write(slot: Slot, piece: Piece, result: PieceResult | undefined): Promise<void> {
    const { file, order, final } = piece;
    if (piece.first) this.#assembly = this.#assemble(piece.settings);
    const assembly = this.#assembly;
    if (assembly === undefined) throw new Error(`${file.shown()}: a piece without its first`);
    const encoded = result?.encoded;
    if (encoded === undefined || slot.output === undefined) {
      assembly.addPlain(Buffer.from(slot.input, order.offset, order.length), final);
    } else {
      const { bytes, inlineBytes } = encoded;
      assembly.addEncoded(encoded, Buffer.from(slot.output, result?.outputOffset, bytes + inlineBytes));
    }
    // The hash of a piece reads the slot too.
    const hashed = await piece.hash;
    if (!final) return;
    const digest = hashed?.kind === 'hash' ? hashed.digest : result?.digest;
    if (digest === undefined) throw new Error(`${file.shown()}: no digest`);
    file.onStored(assembly.finish(fingerprintValue(Buffer.from(digest))));
  }

  #assemble(settings: number | undefined): FileAssembly {
    return new FileAssembly(this.output, this.spool, this.#compressionOf(settings));
  }

  #compressionOf(number: number | undefined): AssemblyCompression | undefined {
    const settings = number === undefined ? undefined : this.choice.settings[number];
    if (settings === undefined) return undefined;
    return {
      algorithm: ENCODERS[settings.encoder].algorithm,
      bigPclusters: settings.pclusterSize > BLOCK_SIZE,
      inlineTail: this.choice.inlineTails,
    };
  }
}

/** Bytes that a piece takes where it is stored as it is. */
function plainCost(length: number, final: boolean): number {
  const tail = final ? plainTail(length) : 0;
  return Math.ceil((length - tail) / BLOCK_SIZE) * BLOCK_SIZE + tail;
}

/** Whoever awaits it comes later, perhaps never: where the build has failed already. */
function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
