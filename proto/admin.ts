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
import { loadClient, loadService } from './load';

/** Messages of admin.proto as `load.ts` decodes them; the .proto file says what each field means. */
export interface StatusResponse {
  version: string;
  pid: number;
  root: string;
  state: string;
  address: string;
  kernel: string;
  passthrough: boolean;
  sharing: string;
  snapshots: number;
  images: number;
  attached_images: number;
  dedup_inodes: number;
  open_files: number;
  backing_ids: number;
  cached_bytes: number;
  saved_bytes: number;
  uptime_seconds: number;
  rss_bytes: number;
  images_requests: Record<string, number>;
  ishare_requests: Record<string, number>;
}

export interface DomainState {
  name: string;
  images: number;
  dedup_inodes: number;
  cached_bytes: number;
  saved_bytes: number;
}

export const InodeOrder = { SAVED: 0, CACHED: 1, SIZE: 2, IMAGES: 3, OPEN: 4, FINGERPRINT: 5 } as const;
export type InodeOrder = (typeof InodeOrder)[keyof typeof InodeOrder];

export interface ListInodesRequest {
  domain: string;
  /** A number outside InodeOrder arrives as it is. */
  order: number;
  limit: number;
}

export interface InodeState {
  fingerprint: string;
  domain: string;
  size: number;
  images: number;
  open_files: number;
  cached_bytes: number;
  saved_bytes: number;
}

export interface ImageState {
  name: string;
  path: string;
  size: number;
  inodes: number;
  attached_in: string[];
  shared_files: number;
}

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
