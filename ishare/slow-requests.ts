import type { NodeId } from '../fuse/file-system';
import { opcodeName } from '../fuse/protocol/opcode';
import type { PendingRequest } from '../fuse/session';
import type { LogSink } from './engine';
import { SlowWork } from './slow-work';

const DEFAULT_THRESHOLD_MS = 30_000;
/** A slow request is noticed late by a quarter of the threshold at most. */
const LOOKS_PER_THRESHOLD = 4;

export interface SlowRequestsOptions {
  /** Which mount it is, for the log. */
  readonly mount: string;
  readonly log: LogSink;
  /** What a node is, for the log: an image with its path there, or a fingerprint. Must not wait, and may not know. */
  readonly describe: (node: NodeId) => string | undefined;
  readonly thresholdMs?: number;
}

/**
 * Notices FUSE requests that are not answered for long: somebody hangs in the kernel then. To be given to the Session of a
 * mount as its `pending`.
 */
export function slowRequests(options: SlowRequestsOptions): SlowWork<PendingRequest> {
  const { mount, log, describe, thresholdMs = DEFAULT_THRESHOLD_MS } = options;
  const details = ({ opcode, node }: PendingRequest, ageMs: number): Record<string, string | number> => ({
    mount,
    operation: opcodeName(opcode),
    node,
    file: describe(node) ?? 'unknown',
    seconds: Math.round(ageMs / 1000),
  });
  return new SlowWork({
    thresholdMs: () => thresholdMs,
    paceMs: thresholdMs / LOOKS_PER_THRESHOLD,
    onSlow: (request, ageMs) => log('warn', 'a file system request is not answered', details(request, ageMs)),
    onEnd: (request, ageMs) =>
      log('info', 'a file system request was answered late', details(request, ageMs)),
  });
}
