import { chmodSync, lchownSync, linkSync, lutimesSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { makeDevice, makeNode } from '../../../linux/device-node';
import { setXattr } from '../../../linux/xattr';
import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } from '../../format/dirent';
import { entryNameBytes, type DirectoryNode, type TreeNode } from '../tree';
import { contentOf } from './observation';

const SLASH = Buffer.from('/');

/**
 * Makes a tree on disk, below a directory that is there already. Times come close only: Node takes them as seconds in a
 * floating-point number.
 */
export function placeTree(root: DirectoryNode, top: string): void {
  const placed = new Map<TreeNode, Buffer>();
  const place = (node: TreeNode, path: Buffer): void => {
    const first = placed.get(node);
    if (first !== undefined) {
      linkSync(first, path);
      return;
    }
    placed.set(node, path);
    if (node !== root) make(node, path);
    for (const { name, value } of node.xattrs) setXattr(path, name, value);
    if (node.kind === 'directory') {
      for (const [name, child] of node.entries)
        place(child, Buffer.concat([path, SLASH, entryNameBytes(name)]));
    }
    lchownSync(path, node.uid, node.gid);
    // After the owner, whose change takes setuid bits away.
    if (node.kind !== 'symlink') chmodSync(path, node.permissions);
    const seconds = node.mtime.seconds + node.mtime.nanoseconds / 1e9;
    // Node takes a negative number for no time at all, but not a negative Date.
    const time = seconds < 0 ? new Date(seconds * 1000) : seconds;
    lutimesSync(path, time, time);
  };
  place(root, Buffer.from(top));
}

function make(node: TreeNode, path: Buffer): void {
  switch (node.kind) {
    case 'directory': {
      mkdirSync(path);
      return;
    }
    case 'file': {
      writeFileSync(path, contentOf(node));
      return;
    }
    case 'symlink': {
      symlinkSync(node.target, path);
      return;
    }
    case 'character device': {
      makeNode(path, S_IFCHR, makeDevice(node.major, node.minor));
      return;
    }
    case 'block device': {
      makeNode(path, S_IFBLK, makeDevice(node.major, node.minor));
      return;
    }
    case 'fifo': {
      makeNode(path, S_IFIFO);
      return;
    }
    case 'socket': {
      makeNode(path, S_IFSOCK);
      return;
    }
  }
}
