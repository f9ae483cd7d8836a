import { addAbortSignal, type Readable } from 'node:stream';
import { naming, withSubject } from '../../../linux/named-failure';
import { NO_BLOCK_LOW } from '../../format/inode';
import type { ContentSource } from '../content';
import { UnrepresentableError } from '../errors';
import { BLOCK_SIZE } from '../geometry';
import type { ContentIntake } from '../image-contents';
import type { Pace } from '../pace';
import { Spool, type SpooledStretch } from '../spool';
import type { DirectoryNode } from '../tree';
import { asContainerd } from './as-containerd';
import { ByteStream } from './byte-stream';
import { decompressed } from './decompression';
import type { TarEntry } from './entry';
import { shownPath } from './errors';
import { openInput } from './input';
import { checkedBlob, TarMeter, type LayerBlob, type LayerTar } from './layer-blob';
import { LayerTree } from './layer-tree';
import { inheritAttributes } from './lower-directories';
import type { SparseFile } from './sparse';
import { SparseFeed } from './sparse-feed';
import { TarReader } from './tar-reader';

export interface TarSource {
  /** Path of the layer: a file, a fifo or /dev/stdin. Plain, gzip or zstd, told by its first bytes. */
  readonly tar: string;
  /** Images of the layers below, topmost first: they give directories their attributes that no entry is about. */
  readonly lower?: readonly string[] | undefined;
  /**
   * The tar comes as the blob of an image's layer. It is checked against this, and read exactly as containerd unpacks it;
   * `lower` are all layers below then, so that the lowest one has no whiteouts.
   */
  readonly blob?: LayerBlob | undefined;
}

export interface TarReading {
  readonly pace: Pace;
  /** Ends a wait for somebody to write to a fifo, too. Its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with how many bytes of `tar`, compressed as they are, were read. */
  readonly onRead?: ((bytes: number) => void) | undefined;
  /** Told of the tar that was in a blob, once it is read. */
  readonly onTar?: ((tar: LayerTar) => void) | undefined;
}

/** Bytes behind the end of the tar that are read at once, to no purpose. */
const REST_PIECE = 1024 * 1024;

/**
 * Reads a layer from a tar stream into a tree, the same as `readDirectoryTree` with `overlay` gives of the layer when it
 * is unpacked; LayerTree tells how entries become one. Contents go to a spool, which must live as long as the tree is
 * used, or into an image as they come; memory grows with the number of entries, not with their contents. The stream is read to its end, so that damage
 * behind the last entry is found, and whoever writes to a fifo can finish.
 *
 * Throws TarErrors for what is wrong with the stream, WrongBlobError where it is not the blob, DependentUpperError for attributes of overlayfs that no layer can
 * have, UnrepresentableError where the tar is a directory, ErofsErrors about the images below, and errors of system calls
 * as they come.
 */
export async function readTarTree(
  source: TarSource,
  contents: Spool | ContentIntake,
  reading: TarReading,
): Promise<DirectoryNode> {
  const { pace, signal } = reading;
  signal?.throwIfAborted();
  try {
    await using stream = new TarStream(source, reading);
    const tree = await readTree(source, stream.bytes, contents, pace);
    if (stream.meter !== undefined) reading.onTar?.(stream.meter.result());
    const { blob, lower = [] } = source;
    await inheritAttributes(tree.root, tree.implied, lower, pace);
    return tree.finished(blob !== undefined && lower.length === 0);
  } catch (error) {
    // Streams that are aborted fail with an error of their own.
    signal?.throwIfAborted();
    throw error;
  }
}

async function readTree(
  { tar, blob }: TarSource,
  bytes: ByteStream,
  contents: Spool | ContentIntake,
  pace: Pace,
): Promise<LayerTree> {
  const fromBlob = blob !== undefined;
  const reader = new TarReader(blob?.digest ?? tar, bytes, fromBlob);
  const tree = new LayerTree(!fromBlob);
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    let content: ContentSource | undefined;
    if (entry.kind === 'file') {
      content =
        contents instanceof Spool
          ? await spooled(reader, entry.file, contents, pace)
          : await taken(reader, entry, tree, contents);
    }
    tree.add({ ...(fromBlob ? asContainerd(entry) : entry), content });
    if (pace.due()) await pace.breathe();
  }
  while ((await bytes.some(REST_PIECE)) !== undefined) if (pace.due()) await pace.breathe();
  return tree;
}

/** Moves the content of the current entry into the image. */
async function taken(
  reader: TarReader,
  entry: TarEntry & { kind: 'file' },
  tree: LayerTree,
  intake: ContentIntake,
): Promise<ContentSource> {
  const { file } = entry;
  const stored = file.stretches.reduce((total, { length }) => total + length, 0);
  // Holes cost a tar nothing: nobody should wait for the zeros of what no image holds.
  if (stored < file.size && file.size / BLOCK_SIZE >= NO_BLOCK_LOW) {
    throw new UnrepresentableError(shownPath(entry.name), `has ${file.size} bytes`);
  }
  const feed = new SparseFeed(file, () => reader.content());
  return await intake.take({ size: file.size, shown: () => tree.pathOf(entry) }, feed);
}

/** Moves the content of the current entry into the spool. */
async function spooled(
  reader: TarReader,
  file: SparseFile,
  spool: Spool,
  pace: Pace,
): Promise<ContentSource> {
  let offset = spool.size;
  for (let bytes = await reader.content(); bytes !== undefined; bytes = await reader.content()) {
    spool.append(bytes);
    if (pace.due()) await pace.breathe();
  }
  const stretches = file.stretches.map(({ start, length }): SpooledStretch => {
    const stretch = { start, length, offset };
    offset += length;
    return stretch;
  });
  return spool.content(file.size, stretches);
}

/** The open stream of a tar. */
class TarStream implements AsyncDisposable {
  readonly bytes: ByteStream;
  /** Knows the tar once it is read; for blobs alone. */
  readonly meter: TarMeter | undefined;
  readonly #source: Readable;
  readonly #pieces: AsyncGenerator<Buffer, void>;

  constructor({ tar, blob }: TarSource, { signal, onRead }: TarReading) {
    this.#source = naming(tar, () => openInput(tar));
    if (signal !== undefined) addAbortSignal(signal, this.#source);
    const pieces = counted(this.#source, tar, onRead);
    if (blob === undefined) {
      this.#pieces = decompressed(pieces, tar);
    } else {
      this.meter = new TarMeter();
      const { digest } = blob;
      this.#pieces = this.meter.metered(decompressed(checkedBlob(pieces, blob, digest), digest));
    }
    this.bytes = new ByteStream(this.#pieces);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First, for the pieces may be waiting for it.
    this.#source.destroy();
    await this.#pieces.return();
  }
}

async function* counted(
  source: Readable,
  tar: string,
  onRead: TarReading['onRead'],
): AsyncGenerator<Buffer, void> {
  let bytes = 0;
  try {
    for await (const piece of source as AsyncIterable<Buffer>) {
      bytes += piece.length;
      onRead?.(bytes);
      yield piece;
    }
  } catch (error) {
    throw withSubject(error, tar);
  }
}
