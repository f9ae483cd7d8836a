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
