import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Gate } from '../compression/gate';
import { DIGEST_UNIT_MAX } from '../format/digest-table';
import { digestUnits } from './unit-digests';

/**
 * Bytes that are hashed at once, on the calling thread, which may be the one that serves /dev/fuse: 64 KiB take it 37 µs.
 * Handing them to the thread takes it about 20 µs for 128 KiB and 35 for 256, where hashing takes 75 and 150; the answer is
 * there after 150 and 250. Libuv's pool (`crypto.subtle`) is no way for units of 16 KiB: each is a job of its own,
 * which takes the caller 9 to 16 µs where hashing takes 9.
 */
const AT_ONCE_MAX = 64 * 1024;

/** Bytes that are handed to the thread in one piece: whole units, of any size. */
const PIECE_BYTES = DIGEST_UNIT_MAX;
const PIECES_AT_A_TIME = 4;

/** What the thread is asked to hash, in the memory that it was started with. It answers with the digests. */
export interface HashOrder {
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
  readonly unitSize: number;
}

/**
 * Hashes units without holding up the calling thread: few at once, many on a thread of its own, which starts when it is
 * first needed and then takes some 10 MB, and keeps no process alive. Images of one process should share one.
 */
export class UnitHasher implements AsyncDisposable {
  readonly #memory = new SharedArrayBuffer(PIECE_BYTES * PIECES_AT_A_TIME);
  /** Offsets in the memory. */
  readonly #free = Array.from({ length: PIECES_AT_A_TIME }, (_, piece) => piece * PIECE_BYTES);
  readonly #gate = new Gate(PIECES_AT_A_TIME);
  readonly #underWay = new Set<Promise<Buffer>>();
  #thread: HashThread | undefined;
  #closed = false;

  /**
   * The digests of all units of `bytes`, one after another; at once where that is quick. The bytes must stay as they are
   * until then. Throws when this is closed; rejects when the thread fails, and the next call starts another.
   */
  digests(bytes: Buffer, unitSize: number): Buffer | Promise<Buffer> {
    if (bytes.length <= AT_ONCE_MAX) return digestUnits(bytes, unitSize);
    if (this.#closed) throw new Error('digests were asked of a closed hasher');
    const digests = this.#digestsOfPieces(bytes, unitSize).finally(() => this.#underWay.delete(digests));
    this.#underWay.add(digests);
    return digests;
  }

  /** Ends the thread once it has done what it was asked for. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
    await this.#thread?.close();
  }

  async #digestsOfPieces(bytes: Buffer, unitSize: number): Promise<Buffer> {
    const pieces: Promise<Uint8Array>[] = [];
    for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
      const piece = bytes.subarray(start, start + PIECE_BYTES);
      pieces.push(this.#gate.run(() => this.#digestsInThread(piece, unitSize)));
    }
    return Buffer.concat(await Promise.all(pieces));
  }

  async #digestsInThread(piece: Buffer, unitSize: number): Promise<Uint8Array> {
    const offset = this.#free.pop();
    if (offset === undefined) throw new RangeError('more pieces at a time than there is memory for');
    try {
      piece.copy(Buffer.from(this.#memory, offset, PIECE_BYTES));
      return await this.#running().run({ offset, length: piece.length, unitSize });
    } finally {
      this.#free.push(offset);
    }
  }

  #running(): HashThread {
    if (this.#thread?.ended !== false) this.#thread = new HashThread(this.#memory);
    return this.#thread;
  }
}

interface Waiting {
  readonly resolve: (digests: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The thread, which does its orders one after another. */
class HashThread {
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  readonly #waiting: Waiting[] = [];
  #failure: { readonly error: unknown } | undefined;

  constructor(memory: SharedArrayBuffer) {
    this.#worker = new Worker(join(__dirname, 'unit-hasher-entry.js'), { workerData: memory });
    this.#worker.unref();
    this.#worker.on('message', (digests: Uint8Array) => {
      this.#waiting.shift()?.resolve(digests);
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#fail(new Error(`the thread that hashes units ended with code ${code}`));
        resolve();
      });
    });
  }

  get ended(): boolean {
    return this.#failure !== undefined;
  }

  run(order: HashOrder): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage(order);
    });
  }

  async close(): Promise<void> {
    this.#worker.ref();
    this.#worker.postMessage('close');
    await this.#exited;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure.error);
  }
}
