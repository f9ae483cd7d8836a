import {
  type CallOptions,
  type ChannelCredentials,
  type Client,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type requestCallback,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type {
  DomainDetails,
  DomainState,
  DropCacheRequest,
  DropCacheResponse,
  Explanation,
  ExplainRequest,
  ImageState,
  InodeDetails,
  InodeState,
  ListInodesRequest,
  OverviewRequest,
  OverviewResponse,
  RotateDomainRequest,
  RotateDomainResponse,
  ShowDomainRequest,
  ShowInodeRequest,
  StatusResponse,
  VerifyImagesRequest,
  VerifyImagesResponse,
  WarmCacheRequest,
  WarmCacheResponse,
} from './admin-messages';
import { loadClient, loadService } from './load';

type Nothing = Record<string, never>;

/** Calls with one answer: request and response. */
interface UnaryCalls {
  Status: [Nothing, StatusResponse];
  Overview: [OverviewRequest, OverviewResponse];
  ListDomains: [Nothing, { domains: DomainState[] }];
  ShowDomain: [ShowDomainRequest, DomainDetails];
  RotateDomain: [RotateDomainRequest, RotateDomainResponse];
  ListInodes: [ListInodesRequest, { inodes: InodeState[] }];
  ShowInode: [ShowInodeRequest, { inodes: InodeDetails[] }];
  ListImages: [Nothing, { images: ImageState[] }];
  Explain: [ExplainRequest, Explanation];
  DropCache: [DropCacheRequest, DropCacheResponse];
  ReloadConfig: [Nothing, { waiting_for_restart: string[] }];
}

/** Calls with a stream of answers. */
interface StreamingCalls {
  VerifyImages: [VerifyImagesRequest, VerifyImagesResponse];
  WarmCache: [WarmCacheRequest, WarmCacheResponse];
}

export type AdminHandlers = UntypedServiceImplementation & {
  [Name in keyof UnaryCalls]: handleUnaryCall<UnaryCalls[Name][0], UnaryCalls[Name][1]>;
} & {
  [Name in keyof StreamingCalls]: handleServerStreamingCall<StreamingCalls[Name][0], StreamingCalls[Name][1]>;
};

export type AdminClient = Client & {
  [Name in keyof UnaryCalls]: (
    request: Partial<UnaryCalls[Name][0]>,
    options: CallOptions,
    callback: requestCallback<UnaryCalls[Name][1]>,
  ) => ClientUnaryCall;
} & {
  [Name in keyof StreamingCalls]: (
    request: Partial<StreamingCalls[Name][0]>,
    options?: CallOptions,
  ) => ClientReadableStream<StreamingCalls[Name][1]>;
};

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
