import type { Nid } from './brands';
import type { ErofsImage, Inode } from './image';

/** Directory entries that are held at a time. */
const BATCH = 1024;

const DOT = 0x2e;

/** A name in a directory. Its bytes are a copy. */
export interface NamedInode {
  readonly name: Buffer;
  readonly nid: Nid;
}

/** Everything in a directory, with "." and "..", in the order of the image. */
export async function* directoryEntries(image: ErofsImage, directory: Inode): AsyncGenerator<NamedInode> {
  for (let cookie = 0; ;) {
    const entries = await image.entriesFrom(directory, cookie, BATCH);
    const last = entries.at(-1);
    if (last === undefined) return;
    for (const { name, nid } of entries) yield { name: Buffer.from(name), nid };
    cookie = last.nextCookie;
  }
}

export function isDotOrDotDot(name: Buffer): boolean {
  return name.length <= 2 && name[0] === DOT && (name.length === 1 || name[1] === DOT);
}

/** A path in an image and a name below it. */
export function childPath(directory: Buffer, name: Buffer): Buffer {
  const ends = directory.at(-1) === SLASH[0];
  return Buffer.concat(ends ? [directory, name] : [directory, SLASH, name]);
}

const SLASH = Buffer.from('/');
