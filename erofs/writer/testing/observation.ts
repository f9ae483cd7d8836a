import { createHash } from 'node:crypto';
import {
  lstatSync,
  openSync,
  closeSync,
  readSync,
  readdirSync,
  readlinkSync,
  type BigIntStats,
} from 'node:fs';
import { makeDevice } from '../../../linux/device-node';
import { getXattr, listXattrs } from '../../../linux/xattr';
import { fileTypeOfMode, FILE_TYPE } from '../../format/dirent';
import { InodePlan } from '../inode-plan';
import { entryNameBytes, type TreeNode } from '../tree';

/**
 * All that a program can see of a tree, a line for each name: type and mode, owner, time, link count, size, device,
 * attributes, content. Names of one inode are told by the first of them. Two trees are equal when these are.
 */
export type Observation = readonly string[];

interface Seen {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly nlink: number;
  /** Undefined for directories: theirs depends on the file system. */
  readonly size: number | undefined;
  readonly device: number;
  readonly xattrs: readonly (readonly [Buffer, Buffer])[];
  /** Digest of the content, or the target. */
  readonly data: string;
}

/** Looks at a mounted file system through system calls. */
export function observeDirectory(top: string): Observation {
  const lines: string[] = [];
  const firstNames = new Map<bigint, string>();
  const visit = (path: Buffer, name: string): void => {
    const stats = lstatSync(path, { bigint: true });
    const isDirectory = stats.isDirectory();
    const first = isDirectory ? name : (firstNames.get(stats.ino) ?? name);
    firstNames.set(stats.ino, first);
    if (first !== name) {
      lines.push(`${name} = ${first}, ${stats.nlink.toString()} links`);
      return;
    }
    lines.push(line(name, seenOnDisk(path, stats)));
    if (!isDirectory) return;
    const names = readdirSync(path, { encoding: 'buffer' }).map((each) => each.toString('latin1'));
    for (const each of names.sort()) {
      visit(Buffer.concat([path, Buffer.from('/'), entryNameBytes(each)]), `${name}/${each}`);
    }
  };
  visit(Buffer.from(top), '');
  return lines;
}

/** What `observeDirectory` should see of a tree in memory. */
export function expectedObservation(root: TreeNode): Observation {
  const links = countLinks(root);
  const lines: string[] = [];
  const firstNames = new Map<TreeNode, string>();
  const visit = (node: TreeNode, name: string): void => {
    const first = firstNames.get(node) ?? name;
    firstNames.set(node, first);
    const nlink = links.get(node) ?? 0;
    if (first !== name) {
      lines.push(`${name} = ${first}, ${nlink} links`);
      return;
    }
    lines.push(line(name, expectedOf(node, nlink)));
    if (node.kind !== 'directory') return;
    for (const each of [...node.entries.keys()].sort()) {
      const child = node.entries.get(each);
      if (child !== undefined) visit(child, `${name}/${each}`);
    }
  };
  visit(root, '');
  return lines;
}

/** The first lines in which two observations differ; none where they are equal. */
export function differences(actual: Observation, expected: Observation): string[] {
  const found: string[] = [];
  for (let index = 0; index < Math.max(actual.length, expected.length) && found.length < 6; index++) {
    if (actual[index] === expected[index]) continue;
    found.push(`is:        ${actual[index] ?? '(nothing)'}`, `should be: ${expected[index] ?? '(nothing)'}`);
  }
  return found;
}

function line(name: string, seen: Seen): string {
  const xattrs = [...seen.xattrs]
    .sort(([one], [other]) => one.compare(other))
    .map(([key, value]) => `${key.toString('latin1')}=${shortened(value)}`);
  return [
    JSON.stringify(name),
    `mode ${seen.mode.toString(8)}`,
    `owner ${seen.uid}:${seen.gid}`,
    `mtime ${seen.mtimeNs.toString()}`,
    `links ${seen.nlink}`,
    `size ${seen.size ?? '-'}`,
    `device ${seen.device}`,
    `xattrs [${xattrs.join(', ')}]`,
    seen.data,
  ].join(' ');
}

function shortened(value: Buffer): string {
  return value.length <= 40 ? value.toString('hex') : `${value.length} bytes ${digest(value)}`;
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function seenOnDisk(path: Buffer, stats: BigIntStats): Seen {
  const mode = Number(stats.mode);
  const type = fileTypeOfMode(mode);
  const isDevice = type === FILE_TYPE.CHARACTER_DEVICE || type === FILE_TYPE.BLOCK_DEVICE;
  return {
    mode,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    mtimeNs: stats.mtimeNs,
    nlink: Number(stats.nlink),
    size: type === FILE_TYPE.DIRECTORY ? undefined : Number(stats.size),
    device: isDevice ? Number(stats.rdev) : 0,
    xattrs: listXattrs(path).map((name) => [name, getXattr(path, name) ?? Buffer.from('(gone)')] as const),
    data:
      type === FILE_TYPE.REGULAR
        ? digestOfFile(path)
        : type === FILE_TYPE.SYMLINK
          ? shortened(readlinkSync(path, { encoding: 'buffer' }))
          : '',
  };
}

function digestOfFile(path: Buffer): string {
  const fd = openSync(path, 'r');
  try {
    const hash = createHash('sha256');
    const chunk = Buffer.alloc(256 * 1024);
    for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk)) {
      hash.update(chunk.subarray(0, count));
    }
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}

function expectedOf(node: TreeNode, nlink: number): Seen {
  const isDevice = node.kind === 'character device' || node.kind === 'block device';
  return {
    mode: new InodePlan(node, undefined, '', 1).mode,
    uid: node.uid,
    gid: node.gid,
    mtimeNs: BigInt(node.mtime.seconds) * 1_000_000_000n + BigInt(node.mtime.nanoseconds),
    nlink,
    size: sizeOf(node),
    device: isDevice ? makeDevice(node.major, node.minor) >>> 0 : 0,
    xattrs: node.xattrs.map(({ name, value }) => [name, value] as const),
    data:
      node.kind === 'file' ? digest(contentOf(node)) : node.kind === 'symlink' ? shortened(node.target) : '',
  };
}

function sizeOf(node: TreeNode): number | undefined {
  if (node.kind === 'directory') return undefined;
  if (node.kind === 'file') return node.content.size;
  return node.kind === 'symlink' ? node.target.length : 0;
}

/** All bytes of a file. */
export function contentOf(node: TreeNode & { kind: 'file' }): Buffer {
  using reader = node.content.open();
  const bytes = Buffer.alloc(node.content.size);
  for (let done = 0; done < bytes.length;) done += reader.read(bytes.subarray(done));
  return bytes;
}

function countLinks(root: TreeNode): Map<TreeNode, number> {
  const links = new Map<TreeNode, number>([[root, 2]]);
  const visit = (node: TreeNode): void => {
    if (node.kind !== 'directory') return;
    for (const child of node.entries.values()) {
      if (child.kind === 'directory') {
        links.set(child, 2);
        links.set(node, (links.get(node) ?? 0) + 1);
      } else {
        links.set(child, (links.get(child) ?? 0) + 1);
      }
      visit(child);
    }
  };
  visit(root);
  return links;
}
