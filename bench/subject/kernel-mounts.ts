import { unmount } from '../../linux/mount';
import type { MountedImages } from './mount-subject';

/** Mounts that the kernel serves alone. */
export class KernelMounts implements MountedImages {
  readonly #roots: string[] = [];
  readonly #mounts: string[] = [];

  get roots(): readonly string[] {
    return this.#roots;
  }

  pids(): Promise<readonly number[]> {
    return Promise.resolve([]);
  }

  /** Something below a root that is to be unmounted after it. */
  addMount(target: string): void {
    this.#mounts.push(target);
  }

  addRoot(target: string): void {
    this.#mounts.push(target);
    this.#roots.push(target);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (let target = this.#mounts.pop(); target !== undefined; target = this.#mounts.pop()) unmount(target);
    return Promise.resolve();
  }
}

/** Builds up mounts; where a step fails, those before it are undone. */
export async function kernelMounts(build: (mounts: KernelMounts) => Promise<void>): Promise<KernelMounts> {
  const mounts = new KernelMounts();
  try {
    await build(mounts);
    return mounts;
  } catch (error) {
    await mounts[Symbol.asyncDispose]();
    throw error;
  }
}
