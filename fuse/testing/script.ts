import { InHeader, OutHeader } from '../protocol/structures';
import type { Connection } from '../session';

/** Stands for a moment at which the kernel has no request. */
export const PAUSE = Symbol('pause');

/** What was written to the connection as the answer to one request. */
export interface Written {
  readonly unique: bigint;
  /** As on the wire: 0, or an errno with a minus. */
  readonly error: number;
  readonly body: Buffer;
}

/** The real kernel sends no malformed requests: these are handed to the session as if they came from /dev/fuse. */
export class Script implements Connection {
  readonly replies: Written[] = [];
  readonly #steps: (Uint8Array | typeof PAUSE)[];

  constructor(steps: readonly (Uint8Array | typeof PAUSE)[]) {
    this.#steps = [...steps];
  }

  read(buffer: Buffer): number | 'empty' | 'ended' {
    const step = this.#steps.shift();
    if (step === undefined) return 'ended';
    if (step === PAUSE) return 'empty';
    buffer.set(step);
    return step.length;
  }

  /** Throws where fuse_dev_do_write() of fs/fuse/dev.c would refuse the reply whatever it answers. */
  write(header: Buffer, body: Buffer = Buffer.alloc(0)): void {
    const error = header.readInt32LE(OutHeader.error);
    const length = header.readUInt32LE(OutHeader.len);
    if (header.length !== OutHeader.size || length !== OutHeader.size + body.length) {
      throw new Error(`a reply of ${header.length + body.length} bytes says that it has ${length}`);
    }
    if (error > 0 || error <= -512) throw new Error(`a reply with error ${error}`);
    if (error !== 0 && body.length > 0)
      throw new Error(`a reply with error ${error} and ${body.length} bytes`);
    // The memory of an answer belongs to the session again once it is written.
    this.replies.push({ error, unique: header.readBigUInt64LE(OutHeader.unique), body: Buffer.from(body) });
  }

  notify(): Promise<void> {
    return Promise.resolve();
  }

  readable(): Promise<'ready'> {
    return new Promise((resolve) => setImmediate(resolve, 'ready'));
  }
}

export interface RequestHeader {
  readonly opcode: number;
  readonly unique: bigint;
  /** Defaults to the root. */
  readonly node?: bigint;
  /** Defaults to the truth. */
  readonly declared?: number;
  /** Units of 8 bytes. */
  readonly extensions?: number;
}

/** The bytes of one request. */
export function request(
  { opcode, unique, node = 1n, declared, extensions = 0 }: RequestHeader,
  body: Uint8Array,
): Buffer {
  const header = Buffer.alloc(InHeader.size);
  header.writeUInt32LE(declared ?? InHeader.size + body.length, InHeader.len);
  header.writeUInt32LE(opcode, InHeader.opcode);
  header.writeBigUInt64LE(unique, InHeader.unique);
  header.writeBigUInt64LE(node, InHeader.nodeid);
  header.writeUInt16LE(extensions, InHeader.totalExtlen);
  return Buffer.concat([header, body]);
}
