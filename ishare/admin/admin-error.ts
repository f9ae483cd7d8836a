/** Why a request of the operator's cannot be done; each is the gRPC status of this name. */
export type AdminErrorCode = 'NOT_FOUND' | 'INVALID_ARGUMENT' | 'FAILED_PRECONDITION';

/** A request that the operator has to change. The message tells how, and is printable whatever the request held. */
export class AdminError extends Error {
  override readonly name = 'AdminError';

  constructor(
    readonly code: AdminErrorCode,
    message: string,
  ) {
    super(message);
  }
}
