import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { orGone } from './or-gone';
import type { SnapshotUsage } from './snapshot-info';

/** Unit of st_blocks, whatever the file system's block size (stat(2)). */
const BLOCK_BYTES = 512;
const SEPARATOR = Buffer.from('/');

/**
 * Allocated bytes and inodes of a tree, its root included, a file with several links counted once. Files that vanish
 * during the walk are left out, since containers write meanwhile; it stays on one file system and follows no links.
 */
export async function diskUsage(root: string, signal?: AbortSignal): Promise<SnapshotUsage> {
  const seen = new Set<bigint>();
  let bytes = 0;
  const count = (stats: BigIntStats): void => {
    if (seen.has(stats.ino)) return;
    seen.add(stats.ino);
    bytes += Number(stats.blocks) * BLOCK_BYTES;
  };
  const rootStats = await lstat(root, { bigint: true });
  count(rootStats);
  const pending: Buffer[] = [Buffer.from(root)];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    signal?.throwIfAborted();
    for (const name of await orGone(readdir(directory, { encoding: 'buffer' }), [])) {
      const path = Buffer.concat([directory, SEPARATOR, name]);
      const stats = await orGone(lstat(path, { bigint: true }), undefined);
      if (stats?.dev !== rootStats.dev) continue;
      count(stats);
      if (stats.isDirectory()) pending.push(path);
    }
  }
  return { bytes, inodes: seen.size };
}
