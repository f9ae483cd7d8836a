import { FILE_TYPE, fileTypeOfMode } from '../../erofs/format/dirent';

/** What a layer has under a name. A whiteout says that there is nothing, also not in the layers below. */
export type NodeType =
  | 'regular file'
  | 'directory'
  | 'symbolic link'
  | 'character device'
  | 'block device'
  | 'named pipe'
  | 'socket'
  | 'whiteout';

/** A file, directory or other thing of one layer of an overlay. */
export interface LayerNode {
  readonly type: NodeType;
  /** Bytes. */
  readonly size: number;
  /** Of a directory: what it has under this name, which is no "." or ".."; undefined: nothing. */
  lookup(name: Buffer): Promise<LayerNode | undefined>;
  /** Of a directory: whether it hides what the layers below have at its place. */
  opaque(): Promise<boolean>;
  /** Of a symbolic link: its target. */
  readlink(): Promise<Buffer>;
}

const TYPES: Readonly<Record<number, NodeType>> = {
  [FILE_TYPE.REGULAR]: 'regular file',
  [FILE_TYPE.DIRECTORY]: 'directory',
  [FILE_TYPE.SYMLINK]: 'symbolic link',
  [FILE_TYPE.CHARACTER_DEVICE]: 'character device',
  [FILE_TYPE.BLOCK_DEVICE]: 'block device',
  [FILE_TYPE.FIFO]: 'named pipe',
};

/** overlayfs takes a character device 0:0 for a whiteout (Documentation/filesystems/overlayfs.rst). */
export function nodeType(mode: number, rdev: number): NodeType {
  const type = TYPES[fileTypeOfMode(mode)] ?? 'socket';
  return type === 'character device' && rdev === 0 ? 'whiteout' : type;
}

export const OPAQUE_XATTR = 'trusted.overlay.opaque';

/** The value that makes a directory opaque. */
export function marksOpaque(value: Buffer | undefined): boolean {
  return value?.toString('latin1') === 'y';
}
