import {
  status,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type StatusObject,
} from '@grpc/grpc-js';
import { ConfigError } from '../../config/load';
import { ErofsError } from '../../erofs/errors';
import type { LogSink } from '../engine';
import { AdminError } from './admin-error';

/** A handler that answers with what `work` resolves to. */
export function answering<Request, Response>(
  log: LogSink,
  work: (request: Request) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    // One turn later, so that what is thrown at once is an answer too.
    Promise.resolve(call.request)
      .then(work)
      .then(
        (response) => callback(null, response),
        (error: unknown) => callback(failure(log, call.getPath(), error)),
      );
  };
}

/**
 * A handler that streams what `work` sends. The signal aborts when the caller goes away; what is sent afterwards goes
 * nowhere. `send` tells whether the caller keeps up: messages that can be left out should be, where it does not.
 */
export function streaming<Request, Response>(
  log: LogSink,
  work: (request: Request, send: (response: Response) => boolean, signal: AbortSignal) => Promise<void>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    const send = (response: Response): boolean => gone.signal.aborted || call.write(response);
    work(call.request, send, gone.signal).then(
      () => call.end(),
      (error: unknown) => {
        if (!gone.signal.aborted) call.emit('error', failure(log, call.getPath(), error));
      },
    );
  };
}

/** The one place where errors become gRPC statuses of this service. */
function failure(log: LogSink, method: string, error: unknown): Pick<StatusObject, 'code' | 'details'> {
  const details = error instanceof Error ? error.message : String(error);
  if (error instanceof AdminError) {
    // Whatever may be an attempt at something else is told; what is merely not there is not.
    const level = error.code === 'INVALID_ARGUMENT' ? 'warn' : 'debug';
    log(level, 'refused an admin request', { method, reason: details });
    return { code: status[error.code], details };
  }
  if (error instanceof ErofsError) {
    log('warn', 'an image cannot be read for an admin request', { method, error: details });
    return { code: status.FAILED_PRECONDITION, details };
  }
  log('error', 'an admin request failed', { method, error: details });
  return { code: error instanceof ConfigError ? status.FAILED_PRECONDITION : status.INTERNAL, details };
}
