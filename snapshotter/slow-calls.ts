import type { Logger } from 'winston';
import { SlowWork } from '../ishare/slow-work';

/** A call of the snapshots or the diff service that is under way. */
export interface PendingCall {
  readonly method: string;
  /** What snapshots it is about, by key or name; calls that share one wait for each other. */
  readonly keys: readonly string[];
}

export interface SlowCallsOptions {
  readonly logger: Logger;
  /** After how many ms a call is slow. */
  readonly thresholdMs?: number;
  /** The same for Commit and Apply, which make an image of a whole layer. */
  readonly commitThresholdMs?: number;
}

const MAKES_IMAGES: ReadonlySet<string> = new Set(['Commit', 'Apply']);

const DEFAULT_THRESHOLD_MS = 60_000;
const DEFAULT_COMMIT_THRESHOLD_MS = 600_000;
/** A slow call is noticed late by a quarter of the threshold at most. */
const LOOKS_PER_THRESHOLD = 4;

/** Notices calls that are not answered for long, and says which earlier calls about the same snapshots they wait for. */
export function slowCalls(options: SlowCallsOptions): SlowWork<PendingCall> {
  const {
    logger,
    thresholdMs = DEFAULT_THRESHOLD_MS,
    commitThresholdMs = DEFAULT_COMMIT_THRESHOLD_MS,
  } = options;
  const calls = new SlowWork<PendingCall>({
    thresholdMs: ({ method }) => (MAKES_IMAGES.has(method) ? commitThresholdMs : thresholdMs),
    paceMs: Math.min(thresholdMs, commitThresholdMs) / LOOKS_PER_THRESHOLD,
    onSlow: (call, ageMs) =>
      logger.warn('a call is not answered', {
        ...details(call, ageMs),
        behind: callsBefore(call, calls.underWay()).map(({ method }) => method),
      }),
    onEnd: (call, ageMs) => logger.info('a call was answered late', details(call, ageMs)),
  });
  return calls;
}

function details({ method, keys }: PendingCall, ageMs: number): Record<string, unknown> {
  return { method, keys, seconds: Math.round(ageMs / 1000) };
}

/** Earlier calls that share a key with this one. */
function callsBefore(call: PendingCall, underWay: Iterable<PendingCall>): PendingCall[] {
  const before: PendingCall[] = [];
  for (const other of underWay) {
    if (other === call) return before;
    if (other.keys.some((key) => call.keys.includes(key))) before.push(other);
  }
  return before;
}
