import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { unmount } from '../../linux/mount';

const TIMEOUT = { timeout: 20_000 };

/** An image as Linux itself shows it, through loop devices. */
export class KernelMount implements Disposable {
  readonly #loops: string[] = [];

  /** `devices` are the files of its extra devices, in order. */
  constructor(
    image: string,
    readonly path: string,
    devices: readonly string[] = [],
  ) {
    mkdirSync(path);
    try {
      for (const device of devices) {
        const loop = execFileSync('losetup', ['--find', '--show', '--read-only', device], TIMEOUT);
        this.#loops.push(loop.toString().trim());
      }
      const options = ['loop', 'ro', ...this.#loops.map((loop) => `device=${loop}`)].join();
      execFileSync('mount', ['-t', 'erofs', '-o', options, image, path], { ...TIMEOUT, stdio: 'pipe' });
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    unmount(this.path);
    this.#release();
  }

  #release(): void {
    for (const loop of this.#loops) execFileSync('losetup', ['--detach', loop], TIMEOUT);
    rmdirSync(this.path);
  }
}
