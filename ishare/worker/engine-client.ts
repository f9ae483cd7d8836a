import type { Worker } from 'node:worker_threads';
// The native library must be loaded in this thread too: were the FUSE thread its only user, it would be unloaded at that
// thread's end, before libuv has called it back for the last time.
import '../../linux/libc';
import type { Nid } from '../../erofs/brands';
import type { EngineEvents, EngineOptions } from '../engine';
import type { TrustNews } from '../image-trust';
import type { AttachedImage, FileOfImage, Measurement, ServedFile } from '../inventory';
import type { ImageAttachment, LayerAttachment, LayerServer, MergedLayers } from '../layer-server';
import { assertThreadPoolSuffices } from '../thread-pool';
import { NO_DOMAIN_TOKEN } from '../top-directories';
import { beginEngineThread, type EngineThread } from './engine-thread';
import type { EngineCallName, EngineCalls, EngineMessage, EngineState, TransferredError } from './messages';

/** A failure in the thread that serves /dev/fuse, with the name and code that it had there. */
export class EngineError extends Error {
  override readonly name: string;
  readonly code: string | undefined;

  constructor(transferred: TransferredError) {
    super(transferred.message);
    this.name = transferred.name;
    this.code = transferred.code;
    if (transferred.stack !== undefined) this.stack = transferred.stack;
  }
}

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** The engine as the rest of the daemon sees it: it lives on a thread of its own, and all calls are messages. */
export class EngineClient implements LayerServer, AsyncDisposable {
  readonly #worker: Worker;
  readonly #options: EngineOptions;
  readonly #pending = new Map<number, PendingCall>();
  readonly #ended: Promise<void>;
  #started: EngineState | undefined;
  /** Resolves once it is known again what an earlier daemon had open. */
  #settled: Promise<void> = Promise.resolve();
  #markSettled: () => void = () => undefined;
  #nextId = 1;
  #failure: Error | undefined;
  #stopping = false;

  private constructor(options: EngineOptions, events: EngineEvents, worker: Worker) {
    this.#options = options;
    this.#worker = worker;
    this.#worker.ref();
    this.#worker.on('message', (message: EngineMessage) => {
      switch (message.kind) {
        case 'loaded':
          return;
        case 'lost':
          events.onLost(new EngineError(message.error));
          return;
        case 'damage':
          events.onDamage(message.imagePath, message.problem);
          return;
        case 'log':
          events.log(message.level, message.message, message.details);
          return;
        case 'result':
        case 'error':
          this.#settle(message);
      }
    });
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#fail(this.#failure ?? new Error(`the FUSE thread ended with code ${code}`));
        resolve();
        if (!this.#stopping && this.#failure !== undefined) events.onLost(this.#failure);
      });
    });
  }

  /** Mounts, in a thread that has not been used yet. `onLost` is told too when the thread ends unasked. */
  static async start(
    options: EngineOptions,
    events: EngineEvents,
    { worker }: EngineThread = beginEngineThread(),
  ): Promise<EngineClient> {
    assertThreadPoolSuffices();
    const client = new EngineClient(options, events, worker);
    try {
      client.#started = await client.#call('start', options);
      if (client.#started.takenOver)
        client.#settled = new Promise((resolve) => (client.#markSettled = resolve));
      return client;
    } catch (error) {
      client.#stopping = true;
      await client.#worker.terminate();
      throw error;
    }
  }

  async attach(layer: LayerAttachment): Promise<string> {
    await this.#call('attach', layer);
    return this.#pathOf(layer);
  }

  async attachMerged(merged: MergedLayers): Promise<string> {
    await this.#call('attachMerged', merged);
    return this.#pathOf(merged);
  }

  #pathOf({ domain, attachmentId }: ImageAttachment): string {
    return `${this.#options.imagesDirectory}/${domain?.token ?? NO_DOMAIN_TOKEN}/${attachmentId}`;
  }

  async detach(attachmentId: number): Promise<void> {
    await this.#call('detach', attachmentId);
  }

  /** Something is known about the fingerprints of an image, attached or not. */
  async learn(news: TrustNews): Promise<void> {
    await this.#call('learn', news);
  }

  /** How it has started: `passthrough` and `takenOver` stay so. */
  get started(): EngineState {
    if (this.#started === undefined) throw new Error('the engine has not started');
    return this.#started;
  }

  attachedImages(): Promise<AttachedImage[]> {
    return this.#ask('attachedImages', undefined);
  }

  /** See Engine. */
  measure(): Promise<Measurement> {
    return this.#ask('measure', undefined);
  }

  /** See Engine. */
  filesOf(attachmentId: number): Promise<FileOfImage[]> {
    return this.#ask('filesOf', attachmentId);
  }

  /** See Engine. */
  explain(attachmentId: number, nid: Nid): Promise<ServedFile | undefined> {
    return this.#ask('explain', { attachmentId, nid });
  }

  /** Without what an earlier daemon had open, as long as that is not known again. */
  stateNow(): Promise<EngineState> {
    return this.#call('state', undefined);
  }

  state(): Promise<EngineState> {
    return this.#ask('state', undefined);
  }

  /** See Engine. */
  async resume(): Promise<void> {
    await this.#call('resume', undefined);
    this.#markSettled();
  }

  /** Leaves the mounts to the next daemon and ends the thread. */
  leave(): Promise<void> {
    return this.#end('leave');
  }

  /** Unmounts both file systems, for good, and ends the thread. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#end('stop');
  }

  async #end(how: 'leave' | 'stop'): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#failure === undefined) await this.#call(how, undefined);
    await this.#ended;
  }

  /** A question: what an earlier daemon had open belongs to the answer. */
  async #ask<Name extends EngineCallName>(
    name: Name,
    argument: EngineCalls[Name]['argument'],
  ): Promise<EngineCalls[Name]['result']> {
    await this.#settled;
    return this.#call(name, argument);
  }

  #call<Name extends EngineCallName>(
    name: Name,
    argument: EngineCalls[Name]['argument'],
  ): Promise<EngineCalls[Name]['result']> {
    const id = this.#nextId++;
    return new Promise<EngineCalls[Name]['result']>((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#pending.set(id, { resolve, reject });
      this.#worker.postMessage({ id, name, argument });
    });
  }

  #settle(message: Extract<EngineMessage, { kind: 'result' | 'error' }>): void {
    const call = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if (message.kind === 'result') call?.resolve(message.value);
    else call?.reject(new EngineError(message.error));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#markSettled();
    for (const call of this.#pending.values()) call.reject(this.#failure);
    this.#pending.clear();
  }
}
