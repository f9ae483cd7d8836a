import type {
  CallOptions,
  ChannelCredentials,
  Client,
  ClientOptions,
  ClientReadableStream,
  Metadata,
} from '@grpc/grpc-js';
import { loadClient } from './load';

/** Messages of content.proto as `load.ts` decodes them. */

export interface ReadContentRequest {
  digest: string;
  offset: number;
  size: number;
}

export interface ReadContentResponse {
  offset: number;
  data: Buffer;
}

/** A client of the service, as grpc-js makes it from the definition. */
export interface ContentClient extends Client {
  Read: (
    request: Partial<ReadContentRequest>,
    metadata: Metadata,
    options?: CallOptions,
  ) => ClientReadableStream<ReadContentResponse>;
}

/** Connects lazily to a server of the service; `address` in grpc-js's form, such as `unix:/path`. */
export function connectContent(
  address: string,
  credentials: ChannelCredentials,
  options: ClientOptions = {},
): ContentClient {
  const Connection = loadClient('content.proto', 'containerd.services.content.v1.Content');
  return new Connection(address, credentials, options) as unknown as ContentClient;
}
