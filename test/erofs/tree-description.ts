import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { METABOX_NID, isMetaboxNid, type Nid } from '../../erofs/brands';
import { S_IFLNK, S_IFMT, S_IFREG, S_IFDIR } from '../../erofs/format/dirent';
import type { ErofsImage, Inode } from '../../erofs/image';
import { getXattr, listXattrs } from '../../linux/xattr';

/** Everything that one file system object shows, in a form that Jest can compare and print. */
export interface NodeDescription {
  readonly mode: string;
  readonly size: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly rdev: number;
  readonly ino: number;
  readonly mtimeNs: string;
  /** SHA-256 of a regular file, target of a symlink, names of a directory; bytes as latin1. */
  readonly content: string | readonly string[];
  /** Name to value, both as latin1 and hex. */
  readonly xattrs: Readonly<Record<string, string>>;
}

/** By path from the root (`/`), bytes as latin1. */
export type TreeDescription = ReadonlyMap<string, NodeDescription>;

const SLASH = Buffer.from('/');

/** Describes a tree through the kernel. */
export function describeHostTree(root: string): TreeDescription {
  const tree = new Map<string, NodeDescription>();
  const visit = (path: Buffer, shown: string): void => {
    const stats = lstatSync(path, { bigint: true });
    const type = Number(stats.mode) & S_IFMT;
    let content: string | string[] = '';
    if (type === S_IFREG) content = digest(readFileSync(path));
    if (type === S_IFLNK) content = readlinkSync(path, { encoding: 'buffer' }).toString('latin1');
    if (type === S_IFDIR) {
      const names = readdirSync(path, { encoding: 'buffer' });
      content = ['.', '..', ...names.map((name) => name.toString('latin1'))].sort();
      for (const name of names) {
        visit(Buffer.concat([path, SLASH, name]), `${shown === '/' ? '' : shown}/${name.toString('latin1')}`);
      }
    }
    const xattrs = listXattrs(path).map((name) => [
      name.toString('latin1'),
      getXattr(path, name)?.toString('hex') ?? 'gone',
    ]);
    tree.set(shown, {
      mode: Number(stats.mode).toString(8),
      size: Number(stats.size),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      nlink: Number(stats.nlink),
      rdev: Number(stats.rdev),
      ino: Number(stats.ino),
      mtimeNs: String(stats.mtimeNs),
      content,
      xattrs: sorted(xattrs as [string, string][]),
    });
  };
  visit(Buffer.from(root), '/');
  return tree;
}

/** Describes an image through our reader, names found by readdir and found again by lookup. */
export async function describeImage(image: ErofsImage): Promise<TreeDescription> {
  const tree = new Map<string, NodeDescription>();
  const visit = async (inode: Inode, shown: string): Promise<void> => {
    const type = inode.mode & S_IFMT;
    let content: string | string[] = '';
    if (type === S_IFREG) content = digest(await image.read(inode, 0, inode.size));
    if (type === S_IFLNK) content = (await image.readlink(inode)).toString('latin1');
    if (type === S_IFDIR) {
      const entries = await image.entriesFrom(inode, 0, Infinity);
      content = entries.map(({ name }) => name.toString('latin1')).sort();
      for (const { name, nid, fileType } of entries) {
        const found = await image.lookup(inode, name);
        expect(found).toEqual({ nid, fileType });
        const text = name.toString('latin1');
        if (text === '.' || text === '..') continue;
        await visit(await image.inode(nid), `${shown === '/' ? '' : shown}/${text}`);
      }
    }
    const xattrs: [string, string][] = [];
    for (const { name, value } of await image.xattrs(inode)) {
      expect(await image.getXattr(inode, name)).toEqual(value);
      xattrs.push([name.toString('latin1'), value.toString('hex')]);
    }
    tree.set(shown, {
      mode: inode.mode.toString(8),
      size: inode.size,
      uid: inode.uid,
      gid: inode.gid,
      nlink: inode.nlink,
      rdev: inode.rdev,
      ino: kernelInodeNumber(inode.nid),
      mtimeNs: String(BigInt(inode.mtime.seconds) * 1_000_000_000n + BigInt(inode.mtime.nanoseconds)),
      content,
      xattrs: sorted(xattrs),
    });
  };
  await visit(await image.inode(image.rootNid), '/');
  return tree;
}

/** st_ino of Linux: the nid, with the metabox bit moved from 63 to 31 where the image has such nids. */
function kernelInodeNumber(nid: Nid): number {
  if (!isMetaboxNid(nid)) return nid;
  const slot = nid - METABOX_NID;
  return (slot % 2 ** 31) + 2 ** 31 + Math.floor(slot / 2 ** 31) * 2 ** 32;
}

/** What a source tree and an image of it have in common: not inode numbers, link counts and sizes of directories. */
export function portable(tree: TreeDescription): Map<string, Partial<NodeDescription>> {
  return new Map(
    [...tree].map(([path, { ino: _ino, size, nlink, ...rest }]) => [
      path,
      Array.isArray(rest.content) ? rest : { ...rest, size, nlink },
    ]),
  );
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function sorted(pairs: [string, string][]): Record<string, string> {
  return Object.fromEntries(pairs.sort(([left], [right]) => (left < right ? -1 : 1)));
}
