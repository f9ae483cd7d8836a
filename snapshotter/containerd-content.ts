import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { credentials, Metadata } from '@grpc/grpc-js';
import type { LayerBlob } from '../erofs/build';
import { errorCode } from '../linux/errno';
import { makePipe, type Pipe } from '../linux/pipe';
import { connectContent, type ContentClient, type ReadContentResponse } from '../proto/content';
import { UnavailableError } from './errors';

export interface ContainerdContentOptions {
  /** containerd's socket. */
  readonly address: string;
  /** Directory of its content store, where blobs are read as files; undefined: all come through the socket. */
  readonly root: string | undefined;
}

/** A blob that can be read once. */
export interface OpenBlob extends AsyncDisposable {
  readonly path: string;
  /** Why it ends too early, where that is known. */
  readonly failure: unknown;
}

/** Largest message that containerd may send (bytes); it reads blobs in pieces of 1 MiB. */
const MESSAGE_MAX = 16 * 2 ** 20;
/** A containerd that hangs is noticed after twice this time (ms). */
const KEEPALIVE = 30_000;

/** Reads blobs of containerd's content store. */
export class ContainerdContent implements Disposable {
  #client: ContentClient | undefined;

  constructor(private readonly options: ContainerdContentOptions) {}

  /**
   * Opens a blob, in a namespace of containerd's. Builders check it, so it does not matter here what is in it: as a file where
   * there is a readable one, else through a pipe, which holds no more of it than fits in there. To be disposed of once
   * nobody reads it any more.
   */
  async open({ digest }: LayerBlob, namespace: string): Promise<OpenBlob> {
    const path = await this.#file(digest);
    if (path !== undefined)
      return { path, failure: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
    return new PipedBlob(this.#connection(), this.options.address, digest, namespace);
  }

  [Symbol.dispose](): void {
    this.#client?.close();
  }

  async #file(digest: string): Promise<string | undefined> {
    if (this.options.root === undefined) return undefined;
    const path = join(this.options.root, 'blobs', digest.replace(':', '/'));
    try {
      return (await stat(path)).isFile() ? path : undefined;
    } catch (error) {
      // Another content store than the one on disk has it, or it lies where this process cannot look.
      if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(errorCode(error) ?? '')) return undefined;
      throw error;
    }
  }

  #connection(): ContentClient {
    this.#client ??= connectContent(`unix:${this.options.address}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': MESSAGE_MAX,
      'grpc.keepalive_time_ms': KEEPALIVE,
      'grpc.keepalive_timeout_ms': KEEPALIVE,
    });
    return this.#client;
  }
}

/** A blob that comes from containerd's content service through a pipe: the thread that builds reads the other end. */
class PipedBlob implements OpenBlob {
  readonly #pipe: Pipe;
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;
  #failure: unknown;

  constructor(client: ContentClient, address: string, digest: string, namespace: string) {
    const metadata = new Metadata();
    metadata.set('containerd-namespace', namespace);
    this.#pipe = makePipe(`pipe for ${digest}`);
    // Takes the descriptor over. Its file is one of this process: nobody else ends it.
    const { writer } = this.#pipe;
    const end = new Socket({ fd: writer.release(), readable: false, writable: true });
    const messages = client.Read({ digest }, metadata);
    messages.on('error', (error) => {
      // An abort ends the call too.
      if (this.#closing.signal.aborted) return;
      const problem = `containerd at ${address} does not give the blob ${digest}: ${error.message}`;
      this.#failure = new UnavailableError(problem, { cause: error });
    });
    this.#ended = pipeline(messages, dataOf, end, { signal: this.#closing.signal }).catch(() => {
      messages.cancel();
    });
  }

  get path(): string {
    return `/proc/self/fd/${this.#pipe.reader.number}`;
  }

  get failure(): unknown {
    return this.#failure;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#ended;
    this.#pipe.reader[Symbol.dispose]();
  }
}

async function* dataOf(messages: AsyncIterable<ReadContentResponse>): AsyncGenerator<Buffer, void> {
  for await (const { data } of messages) yield data;
}
