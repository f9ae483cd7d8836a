import { credentials, type ServiceError, status } from '@grpc/grpc-js';
import {
  connectSnapshots,
  type Info,
  type Labels,
  type ListSnapshotsResponse,
  type Mount,
  type SnapshotsClient,
  type UsageResponse,
} from '../../proto/snapshots';

const DEADLINE_MS = 30_000;
/** A layer may be large, and the machine busy. */
const COMMIT_DEADLINE_MS = 300_000;

/** A client of the snapshots service with promises, as containerd's proxy snapshotter is one. Disposing disconnects. */
export class SnapshotsConnection implements Disposable {
  readonly #client: SnapshotsClient;

  constructor(socket: string) {
    this.#client = connectSnapshots(`unix:${socket}`, credentials.createInsecure());
  }

  async prepare(key: string, parent = '', labels: Labels = {}): Promise<Mount[]> {
    const { mounts } = await call(this.#client.Prepare.bind(this.#client), {
      snapshotter: 'test',
      key,
      parent,
      labels,
    });
    return mounts;
  }

  async view(key: string, parent = '', labels: Labels = {}): Promise<Mount[]> {
    const { mounts } = await call(this.#client.View.bind(this.#client), {
      snapshotter: 'test',
      key,
      parent,
      labels,
    });
    return mounts;
  }

  async mounts(key: string): Promise<Mount[]> {
    return (await call(this.#client.Mounts.bind(this.#client), { key })).mounts;
  }

  async commit(name: string, key: string, labels: Labels = {}, parent = ''): Promise<void> {
    await call(this.#client.Commit.bind(this.#client), { name, key, labels, parent }, COMMIT_DEADLINE_MS);
  }

  async remove(key: string): Promise<void> {
    await call(this.#client.Remove.bind(this.#client), { key });
  }

  async stat(key: string): Promise<Info> {
    return (await call(this.#client.Stat.bind(this.#client), { key })).info;
  }

  async update(info: Partial<Info>, ...paths: string[]): Promise<Info> {
    return (await call(this.#client.Update.bind(this.#client), { info, update_mask: { paths } })).info;
  }

  async usage(key: string): Promise<UsageResponse> {
    return call(this.#client.Usage.bind(this.#client), { key });
  }

  async cleanup(): Promise<void> {
    await call(this.#client.Cleanup.bind(this.#client), {});
  }

  /** Every message of a List call. */
  async listMessages(...filters: string[]): Promise<Info[][]> {
    const messages: Info[][] = [];
    const stream = this.#client.List({ filters }, { deadline: Date.now() + DEADLINE_MS });
    for await (const { info } of stream as AsyncIterable<ListSnapshotsResponse>) messages.push(info);
    return messages;
  }

  async list(...filters: string[]): Promise<Info[]> {
    return (await this.listMessages(...filters)).flat();
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function call<Request, Response>(
  method: (
    request: Request,
    options: { deadline: number },
    callback: (error: ServiceError | null, response?: Response) => void,
  ) => unknown,
  request: Request,
  deadlineMs = DEADLINE_MS,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method(request, { deadline: Date.now() + deadlineMs }, (error, response) => {
      if (error === null && response !== undefined) resolve(response);
      else reject(error ?? new Error('no answer'));
    });
  });
}

/** The failure of a call that must fail. */
export async function failureOf(work: Promise<unknown>): Promise<ServiceError> {
  try {
    await work;
  } catch (error) {
    return error as ServiceError;
  }
  throw new Error('the call succeeded');
}

/** Name of the status with which a call must fail. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return codeName(await failureOf(work));
}

/** Name of the status that a failure carries. */
export function codeName(error: { readonly code: number }): string {
  return status[error.code] ?? String(error.code);
}
