/** An image to be measured, as directories. */
export interface BenchImage {
  /** Unique, and fit for a file name. */
  readonly name: string;
  /** Directories as overlayfs stacks them, the lowest first: what is removed is a device 0/0. */
  readonly layers: readonly string[];
}

/** Two neighbouring versions of an image. */
export interface ImagePair {
  readonly name: string;
  readonly images: readonly [BenchImage, BenchImage];
  /** What is in them, for the report: package and version. */
  readonly versions: readonly [string, string];
}
