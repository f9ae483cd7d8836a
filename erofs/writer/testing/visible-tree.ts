import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { errorCode } from '../../../linux/errno';
import { getXattr, listXattrs } from '../../../linux/xattr';
import { entryNameBytes } from '../tree';

/**
 * What a program that goes by names finds in a mounted tree, a line for each name: all but the link counts of directories,
 * which overlayfs makes up, and link counts of files, which count names that another layer hides. Names of one inode are
 * told by the first of them.
 *
 * @param content of a regular file; by default its digest.
 */
export function visibleTree(top: string, content?: (path: string) => string): string[] {
  const lines: string[] = [];
  const first = new Map<string, string>();
  const visit = (path: Buffer, name: string): void => {
    const stats = lstatSync(path, { bigint: true });
    const inode = `${stats.dev.toString()}:${stats.ino.toString()}`;
    const known = stats.isDirectory() ? undefined : first.get(inode);
    if (known !== undefined) {
      lines.push(`${name} = ${known}`);
      return;
    }
    first.set(inode, name);
    const xattrs = listXattrs(path)
      .map((each) => `${each.toString('latin1')}=${getXattr(path, each)?.toString('hex') ?? ''}`)
      .filter((each) => !each.startsWith('trusted.overlay.'));
    lines.push(
      [
        JSON.stringify(name),
        `mode ${stats.mode.toString(8)} owner ${stats.uid}:${stats.gid} mtime ${stats.mtimeNs}`,
        stats.isFile() ? `size ${stats.size} ${(content ?? digestOf)(name)}` : '',
        stats.isSymbolicLink() ? readlinkSync(path, 'latin1') : '',
        `device ${stats.isCharacterDevice() || stats.isBlockDevice() ? stats.rdev : 0}`,
        `xattrs ${xattrs.sort().join(' ')}`,
      ].join(' '),
    );
    if (!stats.isDirectory()) return;
    const names = readdirSync(path, 'buffer').map((each) => each.toString('latin1'));
    for (const each of names.sort()) {
      const below = Buffer.concat([path, Buffer.from('/'), entryNameBytes(each)]);
      if (isThere(below)) visit(below, `${name}/${each}`);
    }
  };
  visit(Buffer.from(top), '');
  return lines;

  function digestOf(name: string): string {
    const path = Buffer.concat([Buffer.from(top), entryNameBytes(name)]);
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  }
}

/** overlayfs lists whiteouts of directories that it merges with nothing, and finds nothing there. */
function isThere(path: Buffer): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
