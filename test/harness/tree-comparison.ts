import { createHash } from 'node:crypto';
import { constants, createReadStream, type BigIntStats, type Dirent } from 'node:fs';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { getXattr, listXattrs } from '../../linux/xattr';

/** Files below this size (bytes) are read at once. */
const SMALL = 65_536n;

/** What one entry of a tree is, in words that can be compared and read. */
export interface TreeEntry {
  readonly type: string;
  /** Permission bits, octal. */
  readonly mode: string;
  readonly owner: string;
  /** Nanoseconds since the epoch. */
  readonly modified: string;
  /** Bytes of a regular file. */
  readonly size?: string;
  /** SHA-256 of a regular file. */
  readonly content?: string;
  readonly target?: string;
  readonly device?: string;
  /** The first path, in byte order, of the entries that share this one's inode; only where there are several. */
  readonly linkedWith?: string;
  /** Values in hexadecimal by name. */
  readonly xattrs?: Readonly<Record<string, string>>;
}

export interface TreeOptions {
  /** Names of extended attributes to leave out. */
  readonly withoutXattrs?: RegExp;
}

/**
 * Everything a tree shows to user space, by path relative to its root (bytes as latin1, so that every name has a text
 * of its own). Link counts and block numbers are left out: they are the file system's own business. Two trees are the
 * same when two such maps are equal.
 */
export async function describeTree(root: string, options: TreeOptions = {}): Promise<Map<string, TreeEntry>> {
  const paths = (await collect(Buffer.from(root))).sort((a, b) => Buffer.compare(a, b));
  const firstOfInode = new Map<string, string>();
  const tree = new Map<string, TreeEntry>();
  for (const relative of paths) {
    const name = relative.toString('latin1');
    const path = Buffer.concat([Buffer.from(root), Buffer.from('/'), relative]);
    const stat = await lstat(path, { bigint: true });
    const inode = `${stat.dev}:${stat.ino}`;
    const first = firstOfInode.get(inode);
    if (first === undefined) firstOfInode.set(inode, name);
    tree.set(name, await describeEntry(path, stat, stat.isDirectory() ? undefined : first, options));
  }
  return tree;
}

async function describeEntry(
  path: Buffer,
  stat: BigIntStats,
  linkedWith: string | undefined,
  options: TreeOptions,
): Promise<TreeEntry> {
  const names = listXattrs(path).filter((name) => options.withoutXattrs?.test(name.toString()) !== true);
  const xattrs = names.map((name) => [name.toString(), getXattr(path, name)?.toString('hex') ?? ''] as const);
  return {
    type: typeOf(stat),
    mode: (stat.mode & 0o7777n).toString(8),
    owner: `${stat.uid}:${stat.gid}`,
    modified: stat.mtimeNs.toString(),
    ...(stat.isFile() ? { size: stat.size.toString(), content: await digestOf(path, stat.size) } : {}),
    ...(stat.isSymbolicLink() ? { target: (await readlink(path, 'buffer')).toString('latin1') } : {}),
    ...(stat.isCharacterDevice() || stat.isBlockDevice() ? { device: stat.rdev.toString() } : {}),
    ...(linkedWith === undefined ? {} : { linkedWith }),
    ...(xattrs.length === 0
      ? {}
      : { xattrs: Object.fromEntries(xattrs.sort(([a], [b]) => (a < b ? -1 : 1))) }),
  };
}

/** The root itself and all below it, relative. */
async function collect(root: Buffer): Promise<Buffer[]> {
  const found: Buffer[] = [Buffer.from('.')];
  const queue: Buffer[] = [Buffer.alloc(0)];
  for (let directory = queue.pop(); directory !== undefined; directory = queue.pop()) {
    const entries = (await readdir(Buffer.concat([root, Buffer.from('/'), directory]), {
      withFileTypes: true,
      encoding: 'buffer',
    })) as Dirent<Buffer>[];
    for (const entry of entries) {
      const path =
        directory.length === 0 ? entry.name : Buffer.concat([directory, Buffer.from('/'), entry.name]);
      found.push(path);
      if (entry.isDirectory()) queue.push(path);
    }
  }
  return found;
}

const TYPES = new Map<number, string>([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'character device'],
  [constants.S_IFBLK, 'block device'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
]);

function typeOf(stat: BigIntStats): string {
  return TYPES.get(Number(stat.mode) & constants.S_IFMT) ?? `mode ${stat.mode.toString(8)}`;
}

async function digestOf(path: Buffer, size: bigint): Promise<string> {
  const hash = createHash('sha256');
  // Without a stream for each of many small files.
  if (size < SMALL) return hash.update(await readFile(path)).digest('hex');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
