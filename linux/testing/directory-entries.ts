import koffi from 'koffi';
import { check } from '../libc';

const getdents64 = koffi
  .load('libc.so.6')
  .func('intptr_t getdents64(int fd, _Out_ void *entries, size_t length)') as unknown as (
  fd: number,
  entries: Buffer,
  length: number,
) => number;

/** struct linux_dirent64 (getdents(2)). */
const Entry = { offset: 8, length: 16, type: 18, name: 19 } as const;

export interface RawEntry {
  readonly name: Buffer;
  /** Position behind this entry, for lseek(2). */
  readonly offset: number;
  readonly type: number;
}

/** The next entries of an opened directory, as many as `length` bytes hold. None at its end. getdents64(2). */
export function directoryEntries(fd: number, length: number): RawEntry[] {
  const bytes = Buffer.alloc(length);
  const used = check(getdents64(fd, bytes, length), 'getdents64', `descriptor ${fd}`);
  const entries: RawEntry[] = [];
  for (let at = 0; at < used; at += bytes.readUInt16LE(at + Entry.length)) {
    const name = bytes.subarray(at + Entry.name, bytes.indexOf(0, at + Entry.name));
    const offset = Number(bytes.readBigInt64LE(at + Entry.offset));
    entries.push({ name, offset, type: bytes.readUInt8(at + Entry.type) });
  }
  return entries;
}
