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
import { loadClient, loadService } from './load';

/** Messages of snapshots.proto as `load.ts` decodes them. What is sent may leave fields out; what arrives has all. */

export const Kind = { UNKNOWN: 0, VIEW: 1, ACTIVE: 2, COMMITTED: 3 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export type Labels = Record<string, string>;

/** google.protobuf.Timestamp: whole seconds since 1970 and 0 to 999,999,999 nanoseconds. */
export interface Timestamp {
  seconds: number;
  nanos: number;
}

/** containerd.types.Mount. */
export interface Mount {
  type: string;
  source: string;
  target: string;
  options: string[];
}

export interface Info {
  name: string;
  parent: string;
  /** A number outside Kind arrives as it is. */
  kind: number;
  created_at: Timestamp | null;
  updated_at: Timestamp | null;
  labels: Labels;
}

interface Addressed {
  snapshotter: string;
}

export interface PrepareSnapshotRequest extends Addressed {
  key: string;
  parent: string;
  labels: Labels;
}

export type ViewSnapshotRequest = PrepareSnapshotRequest;

export interface KeyRequest extends Addressed {
  key: string;
}

export interface CommitSnapshotRequest extends Addressed {
  name: string;
  key: string;
  labels: Labels;
  parent: string;
}

export interface UpdateSnapshotRequest extends Addressed {
  info: Info | null;
  update_mask: { paths: string[] } | null;
}

export interface ListSnapshotsRequest extends Addressed {
  filters: string[];
}

export type CleanupRequest = Addressed;

export interface MountsResponse {
  mounts: Mount[];
}

export interface InfoResponse {
  info: Info;
}

export interface ListSnapshotsResponse {
  info: Info[];
}

/** Bytes and inodes. */
export interface UsageResponse {
  size: number;
  inodes: number;
}

export type Empty = Record<string, never>;

export interface SnapshotsHandlers extends UntypedServiceImplementation {
  Prepare: handleUnaryCall<PrepareSnapshotRequest, MountsResponse>;
  View: handleUnaryCall<ViewSnapshotRequest, MountsResponse>;
  Mounts: handleUnaryCall<KeyRequest, MountsResponse>;
  Commit: handleUnaryCall<CommitSnapshotRequest, Empty>;
  Remove: handleUnaryCall<KeyRequest, Empty>;
  Stat: handleUnaryCall<KeyRequest, InfoResponse>;
  Update: handleUnaryCall<UpdateSnapshotRequest, InfoResponse>;
  List: handleServerStreamingCall<ListSnapshotsRequest, ListSnapshotsResponse>;
  Usage: handleUnaryCall<KeyRequest, UsageResponse>;
  Cleanup: handleUnaryCall<CleanupRequest, Empty>;
}

type Unary<Request, Response> = (
  request: Partial<Request>,
  options: CallOptions,
  callback: requestCallback<Response>,
) => ClientUnaryCall;

/** A client of the service, as grpc-js makes it from the definition. */
export interface SnapshotsClient extends Client {
  Prepare: Unary<PrepareSnapshotRequest, MountsResponse>;
  View: Unary<ViewSnapshotRequest, MountsResponse>;
  Mounts: Unary<KeyRequest, MountsResponse>;
  Commit: Unary<CommitSnapshotRequest, Empty>;
  Remove: Unary<KeyRequest, Empty>;
  Stat: Unary<KeyRequest, InfoResponse>;
  Update: Unary<Omit<UpdateSnapshotRequest, 'info'> & { info: Partial<Info> }, InfoResponse>;
  List: (
    request: Partial<ListSnapshotsRequest>,
    options?: CallOptions,
  ) => ClientReadableStream<ListSnapshotsResponse>;
  Usage: Unary<KeyRequest, UsageResponse>;
  Cleanup: Unary<CleanupRequest, Empty>;
}

const FILE = 'snapshots.proto';
const SERVICE = 'containerd.services.snapshots.v1.Snapshots';

/** The service definition that a grpc-js server binds handlers to. */
export function snapshotsService(): ServiceDefinition<SnapshotsHandlers> {
  return loadService<SnapshotsHandlers>(FILE, SERVICE);
}

/** Connects lazily to a server of the service; `address` in grpc-js's form, such as `unix:/path`. */
export function connectSnapshots(
  address: string,
  credentials: ChannelCredentials,
  options: ClientOptions = {},
): SnapshotsClient {
  const Connection = loadClient(FILE, SERVICE);
  return new Connection(address, credentials, options) as unknown as SnapshotsClient;
}
