import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mount, unmount } from '../../../linux/mount';

/** A directory of its own for one test. On tmpfs where a test needs what other file systems limit. */
export class ScratchDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'erofs-scratch-'));

  constructor(private readonly kind: 'plain' | 'tmpfs' = 'plain') {
    if (kind === 'tmpfs') mount('tmpfs', this.path, 'tmpfs', 0, 'size=1g');
  }

  join(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Runs a shell script in this directory; `$D` names it. Throws where a command fails. */
  shell(script: string): void {
    execFileSync('bash', ['-euc', script], {
      cwd: this.path,
      env: { ...process.env, D: this.path, LC_ALL: 'C' },
      timeout: 60_000,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }

  [Symbol.dispose](): void {
    if (this.kind === 'tmpfs') unmount(this.path);
    rmSync(this.path, { recursive: true, force: true });
  }
}
