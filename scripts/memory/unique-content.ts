import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { walkFiles } from './file-tree';

/** Every supported machine's smallest page; the page cache holds whole pages. */
const PAGE = 4096;

export interface ContentTotals {
  readonly files: number;
  /** Bytes that the page cache takes for all files, each file by itself; rounded up to pages. */
  readonly allBytes: number;
  /** The same with every content counted once: what sharing by whole files can reach at best. */
  readonly uniqueBytes: number;
}

/** Compares the files of several trees by the SHA-256 of their whole content. */
export async function contentTotals(roots: readonly string[], signal?: AbortSignal): Promise<ContentTotals> {
  const unique = new Map<string, number>();
  let files = 0;
  let allBytes = 0;
  for (const root of roots) {
    for await (const file of walkFiles(root)) {
      signal?.throwIfAborted();
      const pages = Math.ceil(file.size / PAGE) * PAGE;
      files += 1;
      allBytes += pages;
      if (file.size > 0) unique.set(await digestOf(file.path), pages);
    }
  }
  const uniqueBytes = [...unique.values()].reduce((sum, size) => sum + size, 0);
  return { files, allBytes, uniqueBytes };
}

async function digestOf(path: Buffer): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}
