import { defineRecord, nid64, u16, u8 } from './record';

/** struct erofs_dirent. The entries of a block come first, their names follow in the same order without gaps. */
export const direntRecord = defineRecord('dirent', 12, {
  nid: nid64(0),
  /** Bytes from the start of the directory block. That of the first entry is 12 times the count of entries. */
  nameOffset: u16(8),
  fileType: u8(10),
  reserved: u8(11),
});

/** Longest name (bytes). */
export const NAME_MAX = 255;

/** `fileType` of a dirent: the same numbers as everywhere in Linux (FT_*, include/linux/fs_types.h). */
export const FILE_TYPE = {
  UNKNOWN: 0,
  REGULAR: 1,
  DIRECTORY: 2,
  CHARACTER_DEVICE: 3,
  BLOCK_DEVICE: 4,
  FIFO: 5,
  SOCKET: 6,
  SYMLINK: 7,
} as const;

/** Bits of st_mode that hold the file type (include/uapi/linux/stat.h). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/** Dirent type of an st_mode; UNKNOWN where the type bits name no file type. */
export function fileTypeOfMode(mode: number): number {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FILE_TYPE.REGULAR;
    case S_IFDIR:
      return FILE_TYPE.DIRECTORY;
    case S_IFCHR:
      return FILE_TYPE.CHARACTER_DEVICE;
    case S_IFBLK:
      return FILE_TYPE.BLOCK_DEVICE;
    case S_IFIFO:
      return FILE_TYPE.FIFO;
    case S_IFSOCK:
      return FILE_TYPE.SOCKET;
    case S_IFLNK:
      return FILE_TYPE.SYMLINK;
    default:
      return FILE_TYPE.UNKNOWN;
  }
}
