import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';

/** A regular file. The path is bytes, because names on Linux need not be UTF-8. */
export interface RegularFile {
  readonly path: Buffer;
  /** Bytes. */
  readonly size: number;
}

const SLASH = Buffer.from('/');

/**
 * The regular files of a tree on one file system, each inode once however many hard links it has. Symbolic links are
 * not followed, and what is mounted below the root is left out.
 */
export async function* walkFiles(root: string): AsyncGenerator<RegularFile> {
  const top = await lstat(root, { bigint: true });
  const seen = new Set<string>();
  const queue: Buffer[] = [Buffer.from(root)];
  for (let directory = queue.pop(); directory !== undefined; directory = queue.pop()) {
    const entries = (await readdir(directory, {
      withFileTypes: true,
      encoding: 'buffer',
    })) as Dirent<Buffer>[];
    for (const entry of entries) {
      const path = Buffer.concat([directory, SLASH, entry.name]);
      if (entry.isDirectory()) {
        if ((await lstat(path, { bigint: true })).dev === top.dev) queue.push(path);
      } else if (entry.isFile()) {
        const { dev, ino, nlink, size } = await lstat(path, { bigint: true });
        const inode = `${dev}:${ino}`;
        if (nlink > 1n && seen.has(inode)) continue;
        if (nlink > 1n) seen.add(inode);
        yield { path, size: Number(size) };
      }
    }
  }
}
