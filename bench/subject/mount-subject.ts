import type { BenchImage } from '../images/bench-image';
import type { ImageStore } from '../images/image-store';
import type { Tools } from '../tool/tools';

/** What subjects are made of. */
export interface SubjectPlace {
  readonly tools: Tools;
  readonly store: ImageStore;
}

/** Images that are mounted side by side. Disposing of it unmounts them and ends what served them. */
export interface MountedImages extends AsyncDisposable {
  /** A directory for each image, in their order. */
  readonly roots: readonly string[];
  /** The processes without which there would be no mount. None for file systems of the kernel. */
  pids(): Promise<readonly number[]>;
}

/** Something that makes images readable as directories, side by side with others that do the same. */
export interface MountSubject {
  readonly name: string;
  /** What is missing for it here, in words, or undefined. */
  unavailable(): Promise<string | undefined>;
  /** Programs that take part, with versions. */
  versions(): Promise<Readonly<Record<string, string>>>;
  /** Makes what it mounts. Quick where that was made before. */
  prepare(images: readonly BenchImage[]): Promise<void>;
  /** Mounts prepared images. `directory` is empty and the caller's, who removes it. */
  mount(images: readonly BenchImage[], directory: string): Promise<MountedImages>;
}

/** Makes directories `1`, `2`, ... for mounts. */
export function mountPoint(directory: string, index: number): string {
  return `${directory}/${index + 1}`;
}
