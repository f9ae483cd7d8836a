import type { LogSink } from '../engine';
import type { EngineClient } from '../worker/engine-client';
import type { AdminSources } from './sources';

/** What the answers are made from. */
export interface AdminContext {
  readonly engine: EngineClient;
  readonly sources: AdminSources;
  readonly log: LogSink;
}
