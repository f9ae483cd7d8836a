import {
  credentials,
  status,
  type CallOptions,
  type ClientReadableStream,
  type requestCallback,
  type ServiceError,
} from '@grpc/grpc-js';
import { CommandError } from './command-error';
import { connectAdmin, type AdminClient } from '../../proto/admin';

/** A daemon should answer in this time (ms) even with a hundred thousand inodes to count. */
const DEADLINE_MS = 60_000;

/** Calls the daemon behind an admin socket. */
export class AdminConnection implements Disposable {
  readonly #client: AdminClient;
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
    this.#client = connectAdmin(`unix:${address}`, credentials.createInsecure(), {
      // A list of all inodes may be longer than the 4 MiB that grpc-js takes by default.
      'grpc.max_receive_message_length': -1,
    });
  }

  /** One unary call: `connection.call((client, ...rest) => client.Status({}, ...rest))`. */
  call<Response>(
    invoke: (client: AdminClient, options: CallOptions, callback: requestCallback<Response>) => unknown,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      invoke(this.#client, { deadline: Date.now() + DEADLINE_MS }, (error, response) => {
        if (error !== null) reject(this.#explain(error));
        else if (response === undefined) reject(new CommandError('the daemon sent an empty answer'));
        else resolve(response);
      });
    });
  }

  /**
   * One call with a stream of answers, each of which is given to `take`; resolves at its end. It has no deadline: the work
   * may be long, and ends with this process.
   */
  async stream<Response>(
    invoke: (client: AdminClient) => ClientReadableStream<Response>,
    take: (response: Response) => void,
  ): Promise<void> {
    const answers = invoke(this.#client);
    await new Promise<void>((resolve, reject) => {
      answers.on('data', take);
      answers.on('error', (error: ServiceError) => reject(this.#explain(error)));
      answers.on('end', resolve);
    });
  }

  #explain(error: ServiceError): CommandError {
    return new CommandError(this.#describe(error), { cause: error });
  }

  #describe({ code, details }: ServiceError): string {
    switch (code) {
      case status.UNAVAILABLE:
        if (details.includes('EACCES')) return `${this.#address}: permission denied; this needs root`;
        return `no daemon answers on ${this.#address}. Is ishare-snapshotter running? (--address names another socket)`;
      case status.UNIMPLEMENTED:
        return `${this.#address} is not the admin socket of this version of ishare-snapshotter (--address names another one)`;
      case status.DEADLINE_EXCEEDED:
        return `${this.#address}: no answer within ${DEADLINE_MS / 1000} s`;
      default:
        return details;
    }
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
