import type {
  CallOptions,
  ChannelCredentials,
  Client,
  ClientOptions,
  ClientUnaryCall,
  handleUnaryCall,
  Metadata,
  requestCallback,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadClient, loadService } from './load';
import type { Labels, Mount } from './snapshots';

/** Messages of diff.proto as `load.ts` decodes them. */

/** containerd.types.Descriptor. */
export interface Descriptor {
  media_type: string;
  digest: string;
  size: number;
  annotations: Labels;
}

export interface ApplyRequest {
  diff: Descriptor | null;
  mounts: Mount[];
}

export interface ApplyResponse {
  applied: Partial<Descriptor>;
}

export interface DiffRequest {
  left: Mount[];
  right: Mount[];
  media_type: string;
  ref: string;
  labels: Labels;
}

export interface DiffResponse {
  diff: Partial<Descriptor>;
}

export interface DiffHandlers extends UntypedServiceImplementation {
  Apply: handleUnaryCall<ApplyRequest, ApplyResponse>;
  Diff: handleUnaryCall<DiffRequest, DiffResponse>;
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: CallOptions,
  callback: requestCallback<Response>,
) => ClientUnaryCall;

/** A client of the service, as grpc-js makes it from the definition. */
export interface DiffClient extends Client {
  Apply: Unary<{ diff: Partial<Descriptor>; mounts: Mount[] }, ApplyResponse>;
  Diff: Unary<Partial<DiffRequest>, DiffResponse>;
}

const FILE = 'diff.proto';
const SERVICE = 'containerd.services.diff.v1.Diff';

/** The service definition that a grpc-js server binds handlers to. */
export function diffService(): ServiceDefinition<DiffHandlers> {
  return loadService<DiffHandlers>(FILE, SERVICE);
}

/** Connects lazily to a server of the service; `address` in grpc-js's form, such as `unix:/path`. */
export function connectDiff(
  address: string,
  credentials: ChannelCredentials,
  options: ClientOptions = {},
): DiffClient {
  const Connection = loadClient(FILE, SERVICE);
  return new Connection(address, credentials, options) as unknown as DiffClient;
}
