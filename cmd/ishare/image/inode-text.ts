import { MAX_NID, METABOX_NID, isMetaboxNid, toNid, type Nid } from '../../../erofs/brands';
import { decodeDevice } from '../../../erofs/format/inode';
import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from '../../../erofs/format/dirent';
import type { Inode } from '../../../erofs/image';
import type { InodeTime } from '../../../erofs/inode';

interface TypeText {
  /** First letter of a mode string. */
  readonly letter: string;
  readonly word: string;
}

const TYPES = new Map<number, TypeText>([
  [S_IFREG, { letter: '-', word: 'file' }],
  [S_IFDIR, { letter: 'd', word: 'directory' }],
  [S_IFLNK, { letter: 'l', word: 'symlink' }],
  [S_IFCHR, { letter: 'c', word: 'character device' }],
  [S_IFBLK, { letter: 'b', word: 'block device' }],
  [S_IFIFO, { letter: 'p', word: 'fifo' }],
  [S_IFSOCK, { letter: 's', word: 'socket' }],
]);

const S_ISUID = 0o4000;
const S_ISGID = 0o2000;
const S_ISVTX = 0o1000;

/** `file`, `directory` and so on. */
export function typeWord({ mode }: Inode): string {
  return TYPES.get(mode & S_IFMT)?.word ?? 'unknown';
}

/** `drwxr-xr-t`, as ls has it. */
export function modeString({ mode }: Inode): string {
  const triple = (shift: number, special: number, lower: string): string => {
    const bits = mode >>> shift;
    const execute = (bits & 1) !== 0;
    const set = (mode & special) !== 0;
    const last = set ? (execute ? lower : lower.toUpperCase()) : execute ? 'x' : '-';
    return `${(bits & 4) !== 0 ? 'r' : '-'}${(bits & 2) !== 0 ? 'w' : '-'}${last}`;
  };
  const letter = TYPES.get(mode & S_IFMT)?.letter ?? '?';
  return `${letter}${triple(6, S_ISUID, 's')}${triple(3, S_ISGID, 's')}${triple(0, S_ISVTX, 't')}`;
}

export function isDevice({ mode }: Inode): boolean {
  const type = mode & S_IFMT;
  return type === S_IFCHR || type === S_IFBLK;
}

/** Bytes, or the numbers of a device. */
export function sizeText(inode: Inode): string {
  if (!isDevice(inode)) return String(inode.size);
  const { major, minor } = decodeDevice(inode.rdev);
  return `${major}, ${minor}`;
}

/** Dates that JavaScript knows are at most so many seconds from 1970. */
const DATE_SECONDS_MAX = 8_640_000_000_000;

/** `2026-01-02 03:04:05` in the time zone of whoever reads it; seconds since 1970 for times without a date. */
export function timeText({ seconds }: InodeTime): string {
  if (Math.abs(seconds) > DATE_SECONDS_MAX) return `@${seconds}`;
  const date = new Date(seconds * 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Bit 63 of a nid: the inode lies in the metabox file. */
const METABOX_BIT = 1n << 63n;

/** A nid as the image has it: a number, or hexadecimal digits where its bit 63 is set. */
export function nidJson(nid: Nid): number | string {
  return isMetaboxNid(nid) ? `0x${(BigInt(nid - METABOX_NID) | METABOX_BIT).toString(16)}` : nid;
}

/** The reverse of `nidJson`, for what a user types; undefined where it is no nid. */
export function parseNid(text: string): Nid | undefined {
  if (!/^(\d+|0x[0-9a-f]+)$/i.test(text)) return undefined;
  const value = BigInt(text);
  const slot = value & ~METABOX_BIT;
  if (slot > BigInt(MAX_NID)) return undefined;
  return toNid(Number(slot) + (slot === value ? 0 : METABOX_NID));
}

/** What an inode says, for JSON. */
export function inodeJson(inode: Inode): Readonly<Record<string, unknown>> {
  return {
    nid: nidJson(inode.nid),
    type: typeWord(inode),
    mode: `0${(inode.mode & 0o7777).toString(8)}`,
    links: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    ...(isDevice(inode) ? { device: decodeDevice(inode.rdev) } : { size: inode.size }),
    mtime: inode.mtime,
  };
}
