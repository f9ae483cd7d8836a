import type { ByteStream } from './byte-stream';
import { EntryFields, rethrowAt, type EntryForm, type EntryKind, type TarEntry } from './entry';
import { MalformedTarError, type TarPlace } from './errors';
import { Extensions, GlobalRecords } from './extensions';
import { HEADER, hasHeaderChecksum, Header, TAR_BLOCK, TYPE, untilNul } from './header';
import { parsePaxRecords } from './pax';
import { paxSparse, readLeadingSparseMap, readOldSparseMap, sparseFile, type SparseFile } from './sparse';

/** Bytes that a header before an entry's own may have, as in Go: it is held in memory. */
const EXTENSION_MAX = 1024 * 1024;

const NO_BYTES = Buffer.alloc(0);

/**
 * Reads a tar from front to back: POSIX.1-1988 (ustar) and older, POSIX.1-2001 (PAX), GNU tar and star. Bytes of names
 * and values come out as they went in. Methods throw TarErrors.
 *
 * A tar ends with two blocks of zeros, or, as for GNU tar and Go, where the stream ends before a header.
 */
export class TarReader {
  readonly #global = new GlobalRecords();
  /** Bytes of the current entry's content that were not read. */
  #content = 0;
  /** Bytes between the content and the next header. */
  #padding = 0;
  #place: TarPlace;

  constructor(
    /** Path of the tar. */
    private readonly tar: string,
    private readonly stream: ByteStream,
    /** PAX records that are for all entries (type `g`) count for none, as for Go. */
    private readonly withoutGlobals = false,
  ) {
    this.#place = { tar, offset: 0 };
  }

  /** The next entry; undefined at the end. What was not read of the content of the one before is left out. */
  async next(): Promise<TarEntry | undefined> {
    const extensions = new Extensions(this.#global);
    for (;;) {
      await this.#skipContent();
      this.#place = { tar: this.tar, offset: this.stream.position };
      const block = await this.#headerBlock();
      if (block === undefined) {
        if (extensions.empty) return undefined;
        throw new MalformedTarError(
          this.#place,
          'ends behind an extended header, before the entry it is for',
        );
      }
      const header = new Header(block, this.#place);
      if (!(await this.#extend(header, extensions))) return this.#entry(header, extensions);
    }
  }

  /** The next bytes of the current entry's content, a view of shared memory; undefined at its end. */
  async content(): Promise<Buffer | undefined> {
    if (this.#content === 0) return undefined;
    const bytes = await this.stream.some(this.#content);
    if (bytes === undefined) throw this.#truncated(`${this.#content} bytes of content are missing`);
    this.#content -= bytes.length;
    return bytes;
  }

  /** A block with a header, or undefined at the end of the tar. */
  async #headerBlock(): Promise<Buffer | undefined> {
    const block = await this.stream.take(TAR_BLOCK);
    if (block.length === 0) return undefined;
    this.#requireBlock(block);
    if (isZero(block)) {
      const second = await this.stream.take(TAR_BLOCK);
      if (second.length === 0) return undefined;
      this.#requireBlock(second);
      if (isZero(second)) return undefined;
      throw new MalformedTarError(this.#place, 'one block of zeros, where two would be the end');
    }
    if (!hasHeaderChecksum(block)) {
      throw new MalformedTarError(this.#place, 'no header of a tar is here: its checksum is wrong');
    }
    return block;
  }

  #requireBlock(block: Buffer): void {
    if (block.length < TAR_BLOCK) throw this.#truncated(`a header of ${block.length} bytes`);
  }

  /** Takes in a header that is about other entries. False: it is an entry's own. */
  async #extend(header: Header, extensions: Extensions): Promise<boolean> {
    switch (header.type) {
      case TYPE.PAX: {
        const bytes = await this.#extension(header);
        extensions.add(this.#decoded(() => parsePaxRecords(bytes)));
        return true;
      }
      case TYPE.PAX_GLOBAL: {
        const bytes = await this.#extension(header);
        if (!this.withoutGlobals) this.#decoded(() => this.#global.add(parsePaxRecords(bytes)));
        return true;
      }
      case TYPE.GNU_LONG_NAME:
        extensions.longName = untilNul(await this.#extension(header));
        return true;
      case TYPE.GNU_LONG_LINK:
        extensions.longLink = untilNul(await this.#extension(header));
        return true;
      case TYPE.GNU_VOLUME:
        this.#expectContent(header.get(HEADER.size));
        return true;
      default:
        return false;
    }
  }

  async #extension(header: Header): Promise<Buffer> {
    const size = header.get(HEADER.size);
    if (size > EXTENSION_MAX) {
      throw new MalformedTarError(
        this.#place,
        `an extended header of ${size} bytes; at most ${EXTENSION_MAX} are read`,
      );
    }
    this.#expectContent(size);
    return this.#takeContent(size);
  }

  async #entry(header: Header, extensions: Extensions): Promise<TarEntry> {
    const fields = new EntryFields(header, extensions, this.#place);
    this.#place = fields.place;
    const stored = fields.storedSize;
    const kind = fields.kind(stored);
    // Headers of what has no content may still have a size: that of the directory, or of the file that is linked to.
    if (kind === 'file' || header.type === TYPE.GNU_DUMP_DIRECTORY) this.#expectContent(stored);
    const form = await this.#form(kind, fields);
    return { place: fields.place, name: fields.name, attributes: fields.attributes, ...form };
  }

  async #form(kind: EntryKind, fields: EntryFields): Promise<EntryForm> {
    switch (kind) {
      case 'file':
        return { kind, file: await this.#file(fields) };
      case 'hard link':
      case 'symlink':
        return { kind, target: fields.target };
      case 'character device':
      case 'block device':
        return { kind, ...fields.device };
      case 'directory':
      case 'fifo':
        return { kind };
    }
  }

  /** Whatever stands before the content is read with this. */
  async #file(fields: EntryFields): Promise<SparseFile> {
    const take = (length: number): Promise<Buffer> => this.#takeContent(length);
    try {
      if (fields.header.type === TYPE.GNU_SPARSE) {
        // The blocks of the map stand before the content and do not count in its size.
        return this.#covered(await readOldSparseMap(fields.header, (length) => this.#takeExactly(length)));
      }
      const sparse = paxSparse(fields.extensions.records);
      if (sparse === undefined) return sparseFile(this.#content, [0, this.#content]);
      return this.#covered(
        sparse.numbers === undefined
          ? await readLeadingSparseMap(sparse.size, take)
          : sparseFile(sparse.size, sparse.numbers),
      );
    } catch (error) {
      rethrowAt(error, this.#place, 'sparse file');
    }
  }

  /** Requires that the content is as long as the map says. */
  #covered(file: SparseFile): SparseFile {
    const mapped = file.stretches.reduce((sum, { length }) => sum + length, 0);
    if (mapped === this.#content) return file;
    throw new MalformedTarError(
      this.#place,
      `the sparse map names ${mapped} bytes, ${this.#content} are there`,
    );
  }

  #decoded<T>(step: () => T): T {
    try {
      return step();
    } catch (error) {
      rethrowAt(error, this.#place, 'extended header');
    }
  }

  #expectContent(size: number): void {
    if (size < 0) throw new MalformedTarError(this.#place, `a size of ${size} bytes`);
    this.#content = size;
    this.#padding = (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
  }

  async #takeContent(length: number): Promise<Buffer> {
    if (length > this.#content) {
      throw new MalformedTarError(
        this.#place,
        `the content ends in its sparse map, ${this.#content} bytes are left`,
      );
    }
    const bytes = await this.#takeExactly(length);
    this.#content -= length;
    return bytes;
  }

  async #takeExactly(length: number): Promise<Buffer> {
    if (length === 0) return NO_BYTES;
    const bytes = await this.stream.take(length);
    if (bytes.length < length) throw this.#truncated(`${length - bytes.length} bytes are missing`);
    return bytes;
  }

  async #skipContent(): Promise<void> {
    while ((await this.content()) !== undefined);
    const padding = await this.stream.take(this.#padding);
    if (padding.length < this.#padding) throw this.#truncated('the padding is cut short');
    this.#padding = 0;
  }

  #truncated(problem: string): MalformedTarError {
    return new MalformedTarError(this.#place, `the stream ends at byte ${this.stream.position}: ${problem}`);
  }
}

function isZero(block: Buffer): boolean {
  return block.equals(ZEROS);
}

const ZEROS = Buffer.alloc(TAR_BLOCK);
