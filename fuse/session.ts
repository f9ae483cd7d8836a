import { availableParallelism } from 'node:os';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../linux/errno';
import type { FuseDevice } from './device';
import { dispatch, NO_REPLY, type Reply } from './dispatch';
import { errnoOf, isOrdinaryAnswer, ProtocolError } from './errors';
import { nodeId, type FileSystem, type NodeId } from './file-system';
import { decodeInit, encodeInit, negotiate, type Negotiated, type Wishes } from './negotiation';
import { Notifier } from './notifier';
import { RequestBody } from './protocol/body';
import { Opcode, opcodeName, unansweredOpcodes } from './protocol/opcode';
import { InHeader, OutHeader } from './protocol/structures';
import { ReplyMemory, type ReplyLease } from './reply-memory';

/** The kernel refuses to hand out requests into a smaller buffer than this (FUSE_MIN_READ_BUFFER is 8 KiB). */
const REQUEST_BUFFER_BYTES = 64 * 1024;
/** After so many requests in a row the event loop gets a turn, so that finished reads are not kept waiting. */
const REQUESTS_PER_TURN = 64;

/** The kernel counts the largest READ in these (bytes). */
const PAGE_SIZE = 4096;

/** Pages of the machines that Linux runs on here have at most so many bytes; the largest READ is counted in pages. */
const LARGEST_PAGE = 64 * 1024;

/** How often a stopped session looks for requests while a notification is still under way (ms). */
const STOPPED_PACE_MS = 5;

/** What a session needs of a FuseDevice. */
export type Connection = Pick<FuseDevice, 'read' | 'write' | 'notify' | 'readable'>;

/** Looks at an empty queue before it waits, about 0.5 us each; none where the client needs the only processor. */
const EMPTY_READS = availableParallelism() > 1 ? 50 : 0;

export interface SessionEvents {
  /** A request failed in a way that its client did not cause; it was answered with `errno`. */
  onFault(operation: string, error: unknown): void;
  /** Told of every request that is not answered at once, and of its end. */
  readonly pending?: PendingWatch;
}

/** A request that was read and is not answered yet. */
export interface PendingRequest {
  readonly opcode: number;
  readonly node: NodeId;
}

export interface PendingWatch {
  began(request: PendingRequest): void;
  /** Told with the same object. */
  ended(request: PendingRequest): void;
}

/**
 * Serves one connection: reads requests, hands them to the file system, writes replies. Requests overlap freely;
 * replies go out as they are ready.
 */
export class Session {
  readonly notifier: Notifier;
  readonly #device: Connection;
  readonly #fileSystem: FileSystem;
  readonly #wishes: Wishes;
  readonly #events: SessionEvents;
  readonly #request = Buffer.alloc(REQUEST_BUFFER_BYTES);
  readonly #memory: ReplyMemory;
  readonly #counts = new Map<number, number>();
  readonly #negotiated: Promise<Negotiated>;
  #settle!: { resolve(agreed: Negotiated): void; reject(error: unknown): void };
  #inFlight = 0;
  #idle: (() => void) | undefined;

  /** The device stays owned by the caller, who disposes of it after run() has returned. */
  constructor(device: Connection, fileSystem: FileSystem, wishes: Wishes, events: SessionEvents) {
    this.#device = device;
    this.#fileSystem = fileSystem;
    this.#wishes = wishes;
    this.#events = events;
    this.#memory = new ReplyMemory(wishes.maxPages * PAGE_SIZE);
    this.notifier = new Notifier(device);
    this.#negotiated = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    // run() reports the same failure; who never asks what was agreed must not crash the process.
    this.#negotiated.catch(() => undefined);
  }

  /** What kernel and program agreed on, once the kernel has asked. */
  get negotiated(): Promise<Negotiated> {
    return this.#negotiated;
  }

  /**
   * For a connection that another process has served before: INIT comes only once, so what was agreed then is still in
   * force. To be called before run().
   */
  resume(agreed: Negotiated): void {
    this.#settle.resolve(agreed);
  }

  /** Requests served so far, by operation name. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].map(([opcode, count]) => [opcodeName(opcode), count]));
  }

  /** Serves until the mount is gone, the connection is aborted, or the device is stopped. */
  async run(): Promise<void> {
    try {
      while (await this.#serveWhatIsThere()) {
        if ((await this.#device.readable()) === 'cancelled') break;
      }
    } finally {
      this.#settle.reject(new ProtocolError('the connection ended before the kernel sent INIT'));
    }
    // A notification may be waiting for locks whose holder waits for the answer to a request that nobody has read.
    while (this.notifier.busy && (await this.#serveWhatIsThere())) await delay(STOPPED_PACE_MS);
    await this.notifier.settled();
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  /**
   * False when the connection has ended. A client that works alone sends its next request some 10 us after it got an
   * answer: looking again a few times is cheaper than going to sleep in between. Answers that file systems give a
   * moment later (from memory, by promise) go out in the turn that is taken before.
   */
  async #serveWhatIsThere(): Promise<boolean> {
    let served = 0;
    let empty = 0;
    for (;;) {
      const length = this.#device.read(this.#request);
      if (length === 'ended') return false;
      if (length === 'empty') {
        if (empty === 0 && this.#inFlight > 0) await nextTurn();
        if (empty === 0 && served > 0) this.#fileSystem.idle?.();
        empty += 1;
        if (served === 0 || empty > EMPTY_READS) return true;
        continue;
      }
      empty = 0;
      served += 1;
      this.#serve(length);
      if (served % REQUESTS_PER_TURN === 0) await nextTurn();
    }
  }

  #serve(length: number): void {
    if (length < InHeader.size) {
      // Without a whole header there is no number to answer to.
      this.#events.onFault(
        'request',
        new ProtocolError(`${length} bytes are too few for a request's header`),
      );
      return;
    }
    const opcode = this.#request.readUInt32LE(InHeader.opcode);
    const unique = this.#request.readBigUInt64LE(InHeader.unique);
    this.#counts.set(opcode, (this.#counts.get(opcode) ?? 0) + 1);
    const lease = this.#memory.lease();
    let reply: Reply | Promise<Reply>;
    try {
      reply = this.#handle(opcode, unique, length, lease);
    } catch (error) {
      this.#fail(unique, opcode, error);
      return;
    }
    if (!(reply instanceof Promise)) {
      this.#answer(unique, opcode, reply, lease);
      return;
    }
    const pending = { opcode, node: this.#node() };
    this.#inFlight += 1;
    this.#events.pending?.began(pending);
    void reply
      .then(
        (ready) => this.#answer(unique, opcode, ready, lease),
        (error: unknown) => this.#fail(unique, opcode, error),
      )
      .finally(() => {
        this.#inFlight -= 1;
        this.#events.pending?.ended(pending);
        if (this.#inFlight === 0) this.#idle?.();
      });
  }

  #handle(opcode: number, unique: bigint, length: number, lease: ReplyLease): Reply | Promise<Reply> {
    const declared = this.#request.readUInt32LE(InHeader.len);
    if (declared !== length) {
      throw new ProtocolError(`${opcodeName(opcode)}: ${length} bytes read, the header says ${declared}`);
    }
    // Extensions (security contexts of created files) end a request; none that a read-only file system takes has any.
    const extensions = this.#request.readUInt16LE(InHeader.totalExtlen) * 8;
    const body = new RequestBody(this.#request, InHeader.size, length - extensions, opcodeName(opcode));
    if (opcode === Opcode.INIT) return this.#initialise(body);
    return dispatch(this.#fileSystem, opcode, this.#node(), unique, body, lease.allocate, this.#largestRead);
  }

  /** The inode that the request in the buffer is about. */
  #node(): NodeId {
    const high = this.#request.readUInt32LE(InHeader.nodeid + 4);
    return nodeId(high * 0x1_0000_0000 + this.#request.readUInt32LE(InHeader.nodeid));
  }

  get #largestRead(): number {
    return this.#wishes.maxPages * LARGEST_PAGE;
  }

  #initialise(body: RequestBody): Buffer {
    const init = decodeInit(body);
    try {
      const agreed = negotiate(init, this.#wishes);
      this.#settle.resolve(agreed);
      return encodeInit(agreed, this.#wishes);
    } catch (error) {
      this.#settle.reject(error);
      throw error;
    }
  }

  #answer(unique: bigint, opcode: number, body: Reply, lease: ReplyLease): void {
    if (body === NO_REPLY) return;
    this.#send(outHeader(unique, body.length, 0), body, opcode);
    lease.end();
  }

  #fail(unique: bigint, opcode: number, error: unknown): void {
    if (!isOrdinaryAnswer(error)) this.#events.onFault(opcodeName(opcode), error);
    if (unansweredOpcodes.has(opcode)) return;
    this.#send(outHeader(unique, 0, errnoOf(error)), undefined, opcode);
  }

  #send(header: Buffer, body: Buffer | undefined, opcode: number): void {
    try {
      this.#device.write(header, body);
    } catch (error) {
      // ENOENT: the client gave up and the kernel forgot the request. ENODEV: the mount is gone; run() will see it too.
      const code = errorCode(error);
      if (code !== 'ENOENT' && code !== 'ENODEV' && code !== 'ECONNABORTED') {
        this.#events.onFault(opcodeName(opcode), error);
      }
    }
  }
}

function outHeader(unique: bigint, bodyLength: number, errno: number): Buffer {
  const header = Buffer.allocUnsafe(OutHeader.size);
  header.writeUInt32LE(OutHeader.size + bodyLength, OutHeader.len);
  header.writeInt32LE(-errno, OutHeader.error);
  header.writeBigUInt64LE(unique, OutHeader.unique);
  return header;
}
