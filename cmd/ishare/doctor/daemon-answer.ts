import { credentials, type CallOptions, type Client, type ServiceError } from '@grpc/grpc-js';
import { connectAdmin } from '../../../proto/admin';
import type { StatusResponse } from '../../../proto/admin-messages';
import { connectSnapshots } from '../../../proto/snapshots';

/** A daemon that works answers at once; one that does not must not keep the doctor waiting (ms). */
const STATUS_LIMIT_MS = 10_000;
/** Deleting what is left behind may take long (ms). */
const CLEANUP_LIMIT_MS = 300_000;

export interface DaemonAnswer {
  readonly status: StatusResponse | undefined;
  /** Why there is no status, or "". */
  readonly silence: string;
}

/** What the daemon behind an admin socket says of itself. */
export async function askForStatus(adminAddress: string): Promise<DaemonAnswer> {
  const client = connectAdmin(`unix:${adminAddress}`, credentials.createInsecure());
  try {
    const status = await answerOf<StatusResponse>(client, STATUS_LIMIT_MS, (options, callback) =>
      client.Status({}, options, callback),
    );
    return { status, silence: '' };
  } catch (error) {
    return { status: undefined, silence: `${adminAddress}: ${(error as ServiceError).details}` };
  }
}

/** Has the daemon throw away what no row owns. */
export async function askForCleanup(address: string): Promise<void> {
  const client = connectSnapshots(`unix:${address}`, credentials.createInsecure());
  await answerOf<unknown>(client, CLEANUP_LIMIT_MS, (options, callback) =>
    client.Cleanup({}, options, callback),
  );
}

/** One call, after which the client is closed. Rejects with gRPC's ServiceError. */
async function answerOf<Response>(
  client: Client,
  limitMs: number,
  call: (
    options: CallOptions,
    callback: (error: ServiceError | null, response?: Response) => void,
  ) => unknown,
): Promise<Response> {
  try {
    return await new Promise((resolve, reject) => {
      call({ deadline: Date.now() + limitMs }, (error, response) => {
        if (error === null) resolve(response as Response);
        else reject(error);
      });
    });
  } finally {
    client.close();
  }
}
