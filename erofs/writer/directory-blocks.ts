import type { Nid } from '../brands';
import { direntRecord } from '../format/dirent';
import { BLOCK_SIZE } from './geometry';
import { entryNameBytes } from './tree';

/** Names in a directory's data, `.` and `..` among them, in the order that Linux's binary search needs. */
export function withDotEntries<T>(
  entries: readonly (readonly [string, T])[],
  self: T,
  parent: T,
): (readonly [string, T])[] {
  return [...entries, ['.', self] as const, ['..', parent] as const].sort(([one], [other]) =>
    one < other ? -1 : one > other ? 1 : 0,
  );
}

/** Bytes of the data of a directory with these (sorted) names; see `encodeDirectory`. */
export function directorySize(names: Iterable<string>): number {
  let blocks = 0;
  let used = BLOCK_SIZE;
  for (const name of names) {
    const width = direntRecord.size + name.length;
    if (used + width > BLOCK_SIZE) {
      blocks++;
      used = 0;
    }
    used += width;
  }
  return (blocks - 1) * BLOCK_SIZE + used;
}

/** What an entry points to. */
export interface DirentTarget {
  readonly nid: Nid;
  /** One of FILE_TYPE. */
  readonly fileType: number;
}

/**
 * Data of a directory: in every block first the entries, then their names. A block takes as many entries as fit; all
 * but the last are padded with zeros.
 */
export function encodeDirectory(entries: readonly (readonly [string, DirentTarget])[]): Buffer {
  const data = Buffer.alloc(directorySize(entries.map(([name]) => name)));
  let block = 0;
  for (let first = 0; first < entries.length; block += BLOCK_SIZE) {
    let end = first;
    let used = 0;
    for (; end < entries.length; end++) {
      const width = direntRecord.size + (entries[end]?.[0].length ?? 0);
      if (used + width > BLOCK_SIZE) break;
      used += width;
    }
    let nameOffset = (end - first) * direntRecord.size;
    entries.slice(first, end).forEach(([name, target], index) => {
      direntRecord.write(data, block + index * direntRecord.size, {
        nid: target.nid,
        nameOffset,
        fileType: target.fileType,
      });
      entryNameBytes(name).copy(data, block + nameOffset);
      nameOffset += name.length;
    });
    first = end;
  }
  return data;
}
