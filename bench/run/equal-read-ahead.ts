import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const DEVICES = '/sys/class/bdi';
/** Major number of loop devices (Documentation/admin-guide/devices.txt). */
const LOOP = '7:';

/**
 * Sets the read-ahead of the disk and of the loop devices to that of all others. What file systems read ahead decides what
 * they cache, so figures compare only when it is equal. Disposing of it sets back what it found.
 */
export class EqualReadAhead implements AsyncDisposable {
  private constructor(private readonly former: ReadonlyMap<string, string>) {}

  /** `file`: anything on the disk that images are on. */
  static async set(file: string, kib: number): Promise<EqualReadAhead> {
    const { dev } = await stat(file);
    // makedev(3) of glibc, for numbers as the kernel has them.
    const disk = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
    const former = new Map<string, string>();
    for (const name of await readdir(DEVICES)) {
      if (name !== disk && !name.startsWith(LOOP)) continue;
      const path = join(DEVICES, name, 'read_ahead_kb');
      former.set(path, (await readFile(path, 'utf8')).trim());
      await writeFile(path, String(kib));
    }
    return new EqualReadAhead(former);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [path, kib] of this.former) await writeFile(path, kib);
  }
}
