import type { EngineOptions, LogLevel } from '../engine';
import type { Nid } from '../../erofs/brands';
import type { TrustNews } from '../image-trust';
import type { AttachedImage, FileOfImage, Measurement, ServedFile } from '../inventory';
import type { LayerAttachment, MergedLayers } from '../layer-server';

export interface EngineState {
  readonly passthrough: boolean;
  /** Whether mounts of an earlier daemon were taken over. */
  readonly takenOver: boolean;
  /** Descriptor number of the ishare mount: valid in every thread of this process. */
  readonly ishareMount: number;
  readonly openFiles: number;
  readonly backingIds: number;
  /** Requests that were not answered for long: so far, and at this moment. */
  readonly slowRequests: { readonly noticed: number; readonly waiting: number };
  /** Requests served so far, by operation. */
  readonly requests: { readonly images: Record<string, number>; readonly ishare: Record<string, number> };
}

/** The calls that the main thread makes, by name: argument and result. */
export interface EngineCalls {
  start: { argument: EngineOptions; result: EngineState };
  attach: { argument: LayerAttachment; result: undefined };
  attachMerged: { argument: MergedLayers; result: undefined };
  detach: { argument: number; result: undefined };
  learn: { argument: TrustNews; result: undefined };
  attachedImages: { argument: undefined; result: AttachedImage[] };
  measure: { argument: undefined; result: Measurement };
  filesOf: { argument: number; result: FileOfImage[] };
  explain: {
    argument: { readonly attachmentId: number; readonly nid: Nid };
    result: ServedFile | undefined;
  };
  state: { argument: undefined; result: EngineState };
  resume: { argument: undefined; result: undefined };
  /** Both end the thread. */
  leave: { argument: undefined; result: undefined };
  stop: { argument: undefined; result: undefined };
}

export type EngineCallName = keyof EngineCalls;

export type EngineRequest = {
  [Name in EngineCallName]: {
    readonly id: number;
    readonly name: Name;
    readonly argument: EngineCalls[Name]['argument'];
  };
}[EngineCallName];

/** An error on its way between threads: structured clone would keep the message and lose the rest. */
export interface TransferredError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

export type EngineMessage =
  /** The first one: the modules of the thread are loaded. */
  | { readonly kind: 'loaded' }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: TransferredError }
  /** A mount went away unasked. */
  | { readonly kind: 'lost'; readonly error: TransferredError }
  /** An image turned out to be wrong where it was read. */
  | { readonly kind: 'damage'; readonly imagePath: string; readonly problem: string }
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly message: string;
      readonly details: Record<string, string | number> | undefined;
    };
