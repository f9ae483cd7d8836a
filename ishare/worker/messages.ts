import type { EngineOptions, LogLevel } from '../engine';
import type { Inventory } from '../inventory';
import type { LayerAttachment } from '../layer-server';

/** What the thread that serves /dev/fuse is told at its start. */
export type EngineWorkerData = EngineOptions;

export interface EngineState {
  readonly passthrough: boolean;
  /** Descriptor number of the ishare mount: valid in every thread of this process. */
  readonly ishareMount: number;
  readonly openFiles: number;
  readonly backingIds: number;
  /** Requests served so far, by operation. */
  readonly requests: { readonly images: Record<string, number>; readonly ishare: Record<string, number> };
}

/** The calls that the main thread makes, by name: argument and result. */
export interface EngineCalls {
  start: { argument: undefined; result: EngineState };
  attach: { argument: LayerAttachment; result: undefined };
  detach: { argument: number; result: undefined };
  inventory: { argument: undefined; result: Inventory };
  state: { argument: undefined; result: EngineState };
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
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly error: TransferredError }
  /** A mount went away unasked. */
  | { readonly kind: 'lost'; readonly error: TransferredError }
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly message: string;
      readonly details: Record<string, string | number> | undefined;
    };
