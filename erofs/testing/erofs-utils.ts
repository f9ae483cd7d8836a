import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** A program of erofs-utils, as the words that start it. */
export class ErofsTool {
  constructor(private readonly command: readonly string[]) {}

  run(...args: readonly string[]): void {
    const [program = '', ...first] = this.command;
    execFileSync(program, [...first, ...args], { timeout: 300_000, stdio: 'pipe' });
  }

  /** How it ends. The exit code is undefined where a signal or the time limit (milliseconds) ended it. */
  end(timeLimit: number, ...args: readonly string[]): { exitCode: number | undefined; stderr: string } {
    const [program = '', ...first] = this.command;
    const options = { timeout: timeLimit, encoding: 'latin1' } as const;
    const { status, stderr } = spawnSync(program, [...first, ...args], options);
    return { exitCode: status ?? undefined, stderr };
  }

  /** What it says where it does not end with 0, else nothing. */
  complaints(...args: readonly string[]): string {
    const [program = '', ...first] = this.command;
    const options = { encoding: 'utf8', timeout: 120_000 } as const;
    const { status, stderr, stdout, error } = spawnSync(program, [...first, ...args], options);
    if (error !== undefined) throw error;
    return status === 0 ? '' : `${program} ended with ${status}: ${stdout}${stderr}`;
  }
}

/** mkfs.erofs of this machine. */
export const systemMkfs = new ErofsTool(['mkfs.erofs']);

/** fsck.erofs of this machine. */
export const systemFsck = new ErofsTool(['fsck.erofs']);

/**
 * A program of the erofs-utils that ISHARE_TEST_EROFS_UTILS names, or undefined: Debian packages unpacked into one tree.
 */
export function newerTool(name: 'mkfs.erofs' | 'fsck.erofs' | 'dump.erofs'): ErofsTool | undefined {
  const tree = process.env['ISHARE_TEST_EROFS_UTILS'];
  if (tree === undefined || !existsSync(join(tree, 'usr/bin', name))) return undefined;
  return new ErofsTool(unpackedCommand(tree, name));
}

/** The words that run a program of Debian packages unpacked into one tree: by their own loader, with their own libraries. */
export function unpackedCommand(tree: string, name: string): string[] {
  const program = join(tree, 'usr/bin', name);
  const libraries = join(tree, 'usr/lib/x86_64-linux-gnu');
  const loader = [join(tree, 'lib64'), join(tree, 'usr/lib64'), libraries]
    .map((directory) => join(directory, 'ld-linux-x86-64.so.2'))
    .find(existsSync);
  return loader === undefined ? [program] : [loader, '--library-path', libraries, program];
}
