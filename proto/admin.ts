import {
  type CallOptions,
  type ChannelCredentials,
  type Client,
  type ClientOptions,
  type ClientUnaryCall,
  type handleUnaryCall,
  type requestCallback,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type {
  DomainState,
  ImageState,
  InodeState,
  ListInodesRequest,
  StatusResponse,
} from './admin-messages';
import { loadClient, loadService } from './load';

type Nothing = Record<string, never>;

export interface AdminHandlers extends UntypedServiceImplementation {
  Status: handleUnaryCall<Nothing, StatusResponse>;
  ListDomains: handleUnaryCall<Nothing, { domains: DomainState[] }>;
  ListInodes: handleUnaryCall<ListInodesRequest, { inodes: InodeState[] }>;
  ListImages: handleUnaryCall<Nothing, { images: ImageState[] }>;
  ReloadConfig: handleUnaryCall<Nothing, { waiting_for_restart: string[] }>;
}

type Unary<Request, Response> = (
  request: Partial<Request>,
  options: CallOptions,
  callback: requestCallback<Response>,
) => ClientUnaryCall;

export interface AdminClient extends Client {
  Status: Unary<Nothing, StatusResponse>;
  ListDomains: Unary<Nothing, { domains: DomainState[] }>;
  ListInodes: Unary<ListInodesRequest, { inodes: InodeState[] }>;
  ListImages: Unary<Nothing, { images: ImageState[] }>;
  ReloadConfig: Unary<Nothing, { waiting_for_restart: string[] }>;
}

const FILE = 'admin.proto';
const SERVICE = 'ishare.admin.v1.Admin';

export function adminService(): ServiceDefinition<AdminHandlers> {
  return loadService<AdminHandlers>(FILE, SERVICE);
}

/** Connects lazily; `address` in grpc-js's form, such as `unix:/path`. */
export function connectAdmin(
  address: string,
  credentials: ChannelCredentials,
  options: ClientOptions = {},
): AdminClient {
  const Connection = loadClient(FILE, SERVICE);
  return new Connection(address, credentials, options) as unknown as AdminClient;
}
