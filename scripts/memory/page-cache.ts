import { open, readFile, writeFile, type FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from '../process/command';
import { walkFiles } from './file-tree';

/** `Cached` of /proc/meminfo in bytes: pages of files, whatever file system they belong to. */
export async function cachedBytes(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8');
  const kibibytes = /^Cached:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kibibytes === undefined) throw new Error('/proc/meminfo holds no line "Cached"');
  return Number(kibibytes) * 1024;
}

/**
 * Writes back dirty pages and drops what the page cache, the dentry and the inode cache can do without. Pages that a
 * process maps stay. It slows the whole machine for a moment and loses nothing.
 */
export async function dropCaches(): Promise<void> {
  await runCommand('sync', [], { timeLimit: 300_000 });
  await writeFile('/proc/sys/vm/drop_caches', '3');
}

/** Waits until `Cached` holds still: two looks 100 ms apart within `tolerance` bytes, or `timeLimit` ms at the most. */
export async function settledCachedBytes(tolerance = 128 << 10, timeLimit = 5_000): Promise<number> {
  const deadline = Date.now() + timeLimit;
  let last = await cachedBytes();
  for (;;) {
    await sleep(100);
    const now = await cachedBytes();
    if (Math.abs(now - last) <= tolerance || Date.now() >= deadline) return now;
    last = now;
  }
}

/**
 * How many bytes `Cached` grows by while `work` runs from dropped caches. Let `work` run once before, so that what it
 * needs itself (programs, libraries, metadata) is not counted. Other programs on the machine blur the figure.
 */
export async function growthOfCached(work: () => Promise<void>): Promise<number> {
  await dropCaches();
  const before = await settledCachedBytes();
  await work();
  return (await settledCachedBytes()) - before;
}

export interface ReadTotals {
  readonly files: number;
  readonly bytes: number;
}

/** Reads every regular file of a tree through read(2), each once, as `cat` would. Links out of the tree are not followed. */
export async function readAllFiles(root: string, signal?: AbortSignal): Promise<ReadTotals> {
  const buffer = Buffer.allocUnsafe(1 << 20);
  let files = 0;
  let bytes = 0;
  for await (const file of walkFiles(root)) {
    signal?.throwIfAborted();
    const handle = await open(file.path, 'r');
    try {
      bytes += await readToEnd(handle, buffer);
    } finally {
      await handle.close();
    }
    files += 1;
  }
  return { files, bytes };
}

async function readToEnd(handle: FileHandle, buffer: Buffer): Promise<number> {
  let total = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return total;
    total += bytesRead;
  }
}
