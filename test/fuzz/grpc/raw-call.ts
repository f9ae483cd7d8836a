import { type Client, Metadata, status } from '@grpc/grpc-js';

/** How a method turns requests into bytes. */
export interface RawMethod<Request> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
}

/** A method whose requests are bytes, whatever they mean. */
export function ofBytes(path: string): RawMethod<Buffer> {
  return { path, requestSerialize: (bytes) => bytes };
}

/** Makes a call, of one answer or of many, which are not looked at: the name of the status that it ends with. */
export function rawCall<Request>(
  client: Client,
  { path, requestSerialize }: RawMethod<Request>,
  request: Request,
  deadlineMs: number,
): Promise<string> {
  const options = { deadline: Date.now() + deadlineMs };
  const asBytes = (answer: Buffer): Buffer => answer;
  return new Promise((resolve) => {
    client
      .makeServerStreamRequest(path, requestSerialize, asBytes, request, new Metadata(), options)
      .on('error', () => undefined)
      .on('status', ({ code }: { code: status }) => resolve(status[code]))
      .resume();
  });
}
