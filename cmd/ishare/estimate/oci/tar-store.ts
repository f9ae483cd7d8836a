import { posix } from 'node:path';
import type { ByteSource } from '../../../../erofs/byte-source';
import { ByteStream } from '../../../../erofs/writer/tar/byte-stream';
import type { TarEntry } from '../../../../erofs/writer/tar/entry';
import { TarReader } from '../../../../erofs/writer/tar/tar-reader';
import { ArchiveError } from '../archive-error';
import { ByteSlice } from './byte-slice';
import type { ImageStore } from './image-store';

/** Bytes that are read at once where headers are; what follows one is mostly content. */
const HEADER_PIECE = 32 * 1024;

/** What stands for content that nobody looks at. */
const UNREAD = Buffer.alloc(1024 * 1024);

/** Links that are followed from one name. */
const LINKS_MAX = 8;

type Member =
  | { readonly kind: 'file'; readonly offset: number; readonly size: number; readonly sparse: boolean }
  | { readonly kind: 'link'; readonly target: string };

/** The files of an uncompressed tar, read where they are in it. */
export class TarStore implements ImageStore {
  private constructor(
    private readonly source: ByteSource,
    private readonly members: ReadonlyMap<string, Member>,
  ) {}

  /** Reads all headers. Throws TarErrors. `source` is owned by the store from here on, unless this throws. */
  static async open(source: ByteSource): Promise<TarStore> {
    const members = new Map<string, Member>();
    const pieces = new HeaderPieces(source);
    const stream = new ByteStream(pieces.all());
    const reader = new TarReader(source.label, stream);
    for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
      const member = memberOf(entry, stream.position);
      if (member === undefined) continue;
      // As in every tar, the last of a name counts.
      members.set(normalized(entry.name.toString('utf8')), member);
      if (member.kind === 'file') pieces.passOver(member.offset + member.size);
    }
    return new TarStore(source, members);
  }

  get label(): string {
    return this.source.label;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- what is refused must reject, not throw
  async open(path: string): Promise<ByteSource | undefined> {
    const label = `${this.label}, ${path}`;
    let member = this.members.get(normalized(path));
    for (let links = 0; member?.kind === 'link'; links++) {
      if (links === LINKS_MAX) throw new ArchiveError(label, 'leads from link to link');
      member = this.members.get(member.target);
    }
    if (member === undefined) return undefined;
    if (member.sparse) throw new ArchiveError(label, 'is stored with holes, which no image archive has');
    return new ByteSlice(this.source, member.offset, member.size, label);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.source[Symbol.asyncDispose]();
  }
}

/** A source as a stream, of which the content of large members is never read. */
class HeaderPieces {
  #unreadUntil = 0;

  constructor(private readonly source: ByteSource) {}

  /** Nobody looks at what comes before this byte offset. */
  passOver(offset: number): void {
    this.#unreadUntil = offset;
  }

  async *all(): AsyncGenerator<Buffer, void> {
    const { size } = this.source;
    for (let position = 0; position < size;) {
      const unread = Math.min(this.#unreadUntil, size) - position;
      const piece =
        unread > 0
          ? UNREAD.subarray(0, unread)
          : await this.source.read(position, Math.min(HEADER_PIECE, size - position));
      position += piece.length;
      yield piece;
    }
  }
}

/** @param offset of the content in the tar. */
function memberOf(entry: TarEntry, offset: number): Member | undefined {
  switch (entry.kind) {
    case 'file': {
      const { size, stretches } = entry.file;
      const stored = stretches.reduce((sum, { length }) => sum + length, 0);
      return { kind: 'file', offset, size: stored, sparse: stored !== size };
    }
    case 'hard link':
      return { kind: 'link', target: normalized(entry.target.toString('utf8')) };
    case 'symlink': {
      const directory = posix.dirname(normalized(entry.name.toString('utf8')));
      return { kind: 'link', target: normalized(posix.join(directory, entry.target.toString('utf8'))) };
    }
    case 'directory':
    case 'fifo':
    case 'character device':
    case 'block device':
      return undefined;
  }
}

function normalized(path: string): string {
  return posix.join('/', path).slice(1);
}
