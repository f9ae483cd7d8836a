import {
  type handleUnaryCall,
  type Metadata,
  type sendUnaryData,
  type ServerUnaryCall,
  status,
} from '@grpc/grpc-js';
import type { Logger } from 'winston';
import { type GrpcFailure, toGrpcFailure } from './errors';
import { brief, checkNames, namesIn } from './request-names';
import type { PendingCall } from './slow-calls';

/** Told of every call from its beginning to its end. */
export interface CallWatch {
  began(call: PendingCall): void;
  /** Told with the same object. */
  ended(call: PendingCall): void;
}

/** What answers a request. The signal aborts when the client goes away. */
type Handle<Request, Response> = (
  request: Request,
  signal: AbortSignal,
  metadata: Metadata,
) => Response | Promise<Response>;

/** Makes handlers for the unary calls of a service. `watch` is for who wants to know of calls that take long. */
export function unaryCalls(logger: Logger, watch: CallWatch | undefined) {
  return <Request, Response>(
    method: string,
    handle: Handle<Request, Response>,
  ): handleUnaryCall<Request, Response> => {
    return (call, callback) => void answer(method, call, callback, handle, logger, watch);
  };
}

/** Aborts when the client of a call goes away. */
export function clientGone(call: { on(event: 'cancelled', listener: () => void): unknown }): AbortSignal {
  const gone = new AbortController();
  call.on('cancelled', () => {
    gone.abort();
  });
  return gone.signal;
}

async function answer<Request, Response>(
  method: string,
  call: ServerUnaryCall<Request, Response>,
  callback: sendUnaryData<Response>,
  handle: Handle<Request, Response>,
  logger: Logger,
  watch: CallWatch | undefined,
): Promise<void> {
  const gone = clientGone(call);
  const pending = { method, keys: namesIn(call.request) };
  watch?.began(pending);
  try {
    checkNames(call.request);
    callback(null, await handle(call.request, gone, call.metadata));
  } catch (error) {
    callback(toLoggedFailure(method, call.request, error, logger));
  } finally {
    watch?.ended(pending);
  }
}

/** What a call that failed is answered with, which goes to the log too. */
export function toLoggedFailure(
  method: string,
  request: unknown,
  error: unknown,
  logger: Logger,
): GrpcFailure {
  const failure = toGrpcFailure(error);
  const code = status[failure.code];
  const log = { method, code, request: brief(request), error };
  logger.log(levelOf(failure.code), `${method}: ${failure.details}`, log);
  return failure;
}

/** What containerd asks for as a matter of course is no news; what is wrong on this side is. */
function levelOf(code: status): string {
  switch (code) {
    case status.NOT_FOUND:
    case status.ALREADY_EXISTS:
    case status.CANCELLED:
    case status.UNIMPLEMENTED:
      return 'debug';
    case status.FAILED_PRECONDITION:
    case status.INVALID_ARGUMENT:
    case status.UNAVAILABLE:
      return 'warn';
    default:
      return 'error';
  }
}
