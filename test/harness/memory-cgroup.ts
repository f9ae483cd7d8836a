import { access, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../../linux/testing/eventually';

/** Where the memory controller is, and how it calls the bytes of files in memory: cgroup v2 or v1. */
const HIERARCHIES = [
  { root: '/sys/fs/cgroup', marker: 'cgroup.controllers', field: 'file' },
  { root: '/sys/fs/cgroup/memory', marker: 'memory.usage_in_bytes', field: 'cache' },
] as const;

/** A control group that charges memory. */
export class MemoryCgroup implements AsyncDisposable {
  private constructor(
    readonly path: string,
    private readonly field: string,
  ) {}

  /** Undefined where this machine has no memory controller to make groups in. */
  static async make(name: string): Promise<MemoryCgroup | undefined> {
    for (const { root, marker, field } of HIERARCHIES) {
      const path = join(root, `${name}-${process.pid}`);
      try {
        await access(join(root, marker));
        if (field === 'file') await writeFile(join(root, 'cgroup.subtree_control'), '+memory');
        await mkdir(path);
        await access(join(path, 'memory.stat'));
        return new MemoryCgroup(path, field);
      } catch {
        // Not this one; whatever was made of it holds no process.
        await rmdir(path).catch(() => undefined);
      }
    }
    return undefined;
  }

  /** A command that runs another one in this group. */
  get prefix(): [program: string, ...words: string[]] {
    return ['sh', '-ec', `echo $$ >${this.path}/cgroup.procs; exec "$@"`, 'sh'];
  }

  /** Bytes of the page cache that are charged to it. */
  async cachedBytes(): Promise<number> {
    const stat = await readFile(join(this.path, 'memory.stat'), 'utf8');
    return Number(new RegExp(`^${this.field} (\\d+)$`, 'm').exec(stat)?.[1]);
  }

  /** Its processes must have ended, or end soon. */
  async [Symbol.asyncDispose](): Promise<void> {
    await eventually('the control group is empty', async () => {
      return (await readFile(join(this.path, 'cgroup.procs'), 'utf8')) === '';
    });
    await rmdir(this.path);
  }
}
