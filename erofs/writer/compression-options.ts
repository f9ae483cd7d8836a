/** Encoders of this writer. LZ4HC makes LZ4 streams, more slowly and smaller. */
export type Encoder = 'lz4' | 'lz4hc' | 'zstd';

/** How one file is compressed. */
export interface EncoderSettings {
  readonly encoder: Encoder;
  /** LZ4HC: 1 to 12 (default 9); Zstandard: 1 to 22 (default 3); LZ4 has none. */
  readonly level?: number | undefined;
  /** Bytes that a pcluster takes at most: a multiple of the block size up to 1 MiB. */
  readonly pclusterSize: number;
}

/** What is done differently with some files. */
export interface CompressionRule {
  /** Glob over the path inside the image without its leading slash, as in .gitignore: `*.so*` matches everywhere. */
  readonly pattern: string;
  /** `none`: these are not compressed. */
  readonly settings: EncoderSettings | 'none';
}

/** How the regular files of an image are compressed. A file that would not become smaller is stored plain. */
export interface CompressionOptions extends EncoderSettings {
  /** Ends of files lie behind their inodes (ztailpacking; Linux 5.17) where they take no whole block. */
  readonly inlineTails: boolean;
  /** The first that matches a file counts. */
  readonly rules: readonly CompressionRule[];
}
