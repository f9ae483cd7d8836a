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
  slow_requests: number;
  slow_requests_now: number;
  slow_calls: number;
  slow_calls_now: number;
  builds: BuildState[];
  builds_at_once: number;
  builds_done: number;
  builds_failed: number;
}

export interface BuildState {
  key: string;
  name: string;
  running: boolean;
  seconds: number;
  inodes: number;
  total_inodes: number;
  bytes: number;
  total_bytes: number;
  stage: string;
  rate: number;
}

export interface OverviewRequest {
  /** A number outside InodeOrder arrives as it is. */
  order: number;
  limit: number;
}

export interface OverviewResponse {
  status: StatusResponse;
  domains: DomainState[];
  images: ImageState[];
  containers: ContainerState[];
  inodes: InodeState[];
}

export interface DomainState {
  name: string;
  images: number;
  dedup_inodes: number;
  cached_bytes: number;
  saved_bytes: number;
}

export interface ShowDomainRequest {
  name: string;
  with_secret_id: boolean;
}

export interface DomainDetails {
  domain: DomainState;
  token: string;
  secret_id: string;
  images: string[];
  containers: ContainerState[];
}

export interface ContainerState {
  key: string;
  domain: string;
  rule: string;
  earlier_id: boolean;
  images: number;
  cached_bytes: number;
  saved_bytes: number;
}

export interface RotateDomainRequest {
  name: string;
}

export interface RotateDomainResponse {
  containers: number;
}

export const InodeOrder = { SAVED: 0, CACHED: 1, SIZE: 2, IMAGES: 3, OPEN: 4, FINGERPRINT: 5 } as const;
export type InodeOrder = (typeof InodeOrder)[keyof typeof InodeOrder];

export interface ListInodesRequest extends OverviewRequest {
  domain: string;
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

export interface ShowInodeRequest {
  fingerprint: string;
}

export interface InodeDetails {
  inode: InodeState;
  holders: InodeHolder[];
}

export interface InodeHolder {
  image: string;
  opened: number;
}

export interface ImageState {
  name: string;
  path: string;
  size: number;
  inodes: number;
  attached_in: string[];
  shared_files: number;
  state: string;
  reason: string;
  cached_bytes: number;
  saved_bytes: number;
}

export interface VerifyImagesRequest {
  names: string[];
  all: boolean;
}

/** Has either. */
export interface VerifyImagesResponse {
  progress?: VerifyProgress | null;
  result?: VerifiedImage | null;
}

export interface VerifyProgress {
  name: string;
  images_done: number;
  images: number;
  bytes_done: number;
  bytes: number;
}

export interface VerifiedImage {
  name: string;
  outcome: string;
  problems: string[];
  problem_count: number;
  method: string;
}

export interface ExplainRequest {
  snapshot: string;
  path: string;
}

export interface Explanation {
  snapshot: string;
  kind: string;
  domain: string;
  rule: string;
  layers: ExplainedLayer[];
  file: ExplainedFile | null;
  verdict: string;
}

export interface ExplainedLayer {
  image: string;
  state: string;
  reason: string;
  attached_in: string[];
}

export interface ExplainedFile {
  path: string;
  type: string;
  size: number;
  image: string;
  fingerprint: string;
  verification: string;
  served: ServedFileState[];
}

export interface ServedFileState {
  domain: string;
  verdict: string;
  inode: InodeDetails | null;
}

/** Has one of them, if any. */
export interface DropCacheRequest {
  domain?: string;
  image?: string;
  inode?: string;
  all?: boolean;
}

export interface DropCacheResponse {
  inodes: number;
  dropped_bytes: number;
  kept_bytes: number;
}

export interface WarmCacheRequest {
  image: string;
  files: string[];
  domain: string;
}

export interface WarmCacheResponse {
  files_done: number;
  files: number;
  bytes_done: number;
  bytes: number;
  cached_bytes: number;
  skipped: SkippedFile[];
}

export interface SkippedFile {
  path: string;
  reason: string;
}
