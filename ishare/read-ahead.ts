import { writeFile } from 'node:fs/promises';

/**
 * Sets how far the kernel reads ahead in a file system, which it lets the owner of a mount do only through its backing
 * device info. `device` is `major:minor` as in the mount table.
 */
export async function setReadAhead(device: string, kib: number): Promise<void> {
  await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, String(kib));
}
