import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A program of erofs-utils, as the words that start it. */
export class ErofsTool {
  constructor(private readonly command: readonly string[]) {}

  run(...args: readonly string[]): void {
    const [program, ...first] = this.command;
    execFileSync(program!, [...first, ...args], { timeout: 300_000, stdio: 'pipe' });
  }

  /** How it ends. The exit code is undefined where a signal or the time limit (milliseconds) ended it. */
  end(timeLimit: number, ...args: readonly string[]): { exitCode: number | undefined; stderr: string } {
    const [program, ...first] = this.command;
    const options = { timeout: timeLimit, encoding: 'latin1' } as const;
    const { status, stderr } = spawnSync(program!, [...first, ...args], options);
    return { exitCode: status ?? undefined, stderr };
  }
}

/** mkfs.erofs of this machine. */
export const systemMkfs = new ErofsTool(['mkfs.erofs']);

/**
 * A program of the erofs-utils that ISHARE_TEST_EROFS_UTILS names, or undefined: Debian packages unpacked into one tree,
 * which are run by their own loader with their own libraries.
 */
export function newerTool(name: 'mkfs.erofs' | 'fsck.erofs' | 'dump.erofs'): ErofsTool | undefined {
  const tree = process.env['ISHARE_TEST_EROFS_UTILS'];
  if (tree === undefined) return undefined;
  const program = join(tree, 'usr/bin', name);
  if (!existsSync(program)) return undefined;
  const libraries = join(tree, 'usr/lib/x86_64-linux-gnu');
  const loader = [join(tree, 'lib64'), join(tree, 'usr/lib64'), libraries]
    .map((directory) => join(directory, 'ld-linux-x86-64.so.2'))
    .find(existsSync);
  return new ErofsTool(loader === undefined ? [program] : [loader, '--library-path', libraries, program]);
}
