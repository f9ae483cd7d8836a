import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmount } from '../../../linux/mount';

/** An image that the kernel has mounted, until disposed of. */
export class MountedImage implements Disposable {
  readonly path: string;

  constructor(image: string) {
    this.path = mkdtempSync(join(tmpdir(), 'erofs-mount-'));
    try {
      execFileSync('mount', ['-t', 'erofs', '-o', 'loop,ro', image, this.path], { timeout: 30_000 });
    } catch (error) {
      rmdirSync(this.path);
      throw error;
    }
  }

  [Symbol.dispose](): void {
    unmount(this.path);
    rmdirSync(this.path);
  }
}
