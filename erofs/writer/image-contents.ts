import { punchHole } from '../../linux/punch-hole';
import { AbsentContent, HoleContents } from './absent-content';
import type { CompressionChoice } from './compression-choice';
import type { ContentFeed, ContentReader, ContentSource } from './content';
import { ContentStore } from './content-store';
import { BLOCK_SIZE } from './geometry';
import type { GrowingCrew } from './growing-crew';
import type { InodePlan } from './inode-plan';
import { contentBytes, type ProgressMeter } from './progress';
import type { SequentialOutput } from './sequential-output';
import type { Spool } from './spool';
import type { StoredContent } from './stored-content';

/**
 * Threads that hash what comes with a stream: the thread that reads it hashes all of it too, and decompression takes longer
 * than either. Each thread more would cost memory alone.
 */
const STREAM_HASHING = 1;

/** A file whose content comes before its tree is known. */
export interface EarlyFile {
  /** Bytes. */
  readonly size: number;
  /** Path inside the image. */
  shown(): string;
}

/** Takes contents into the image while the tree that they belong to is still being read. */
export interface ContentIntake {
  /** What it gives is for the tree: it says that the content is in the image, and cannot be read. */
  take(file: EarlyFile, feed: ContentFeed): Promise<ContentSource>;
}

/** Content that was taken into the image. */
class TakenContent implements ContentSource {
  /** Undefined: it is empty, or under way still. */
  stored: StoredContent | undefined;

  constructor(readonly size: number) {}

  open(): ContentReader {
    throw new Error('this content is in the image, and cannot be read');
  }
}

/** Where contents go, and what they need on the way. */
export interface ContentsPlace {
  /** The image; `output` writes to it. */
  readonly fd: number;
  readonly output: SequentialOutput;
  readonly spool: Spool;
  readonly crew: GrowingCrew;
  readonly choice: CompressionChoice;
  readonly meter: ProgressMeter;
}

/**
 * The contents of an image: those that are taken in while the tree is read, in the order in which they come, and behind
 * them those that are read from their sources, in the order of the tree.
 */
export class ImageContents implements ContentIntake {
  readonly #taken: TakenContent[] = [];
  #store: ContentStore | undefined;

  constructor(private readonly place: ContentsPlace) {}

  async take(file: EarlyFile, feed: ContentFeed): Promise<ContentSource> {
    const { size } = file;
    const content = new TakenContent(size);
    if (size === 0) return content;
    this.#taken.push(content);
    const store = (this.#store ??= this.#makeStore());
    await this.place.crew.expect(size, STREAM_HASHING);
    const incoming = {
      size,
      serial: this.#taken.length,
      shown: () => file.shown(),
      onStored: (stored: StoredContent) => (content.stored = stored),
    };
    await store.add(incoming, feed);
    return content;
  }

  /**
   * The tree is known. When this resolves, all of its contents are in the image, and each inode knows its own. Blocks of
   * what was taken in and is not in the tree are zeros, and given back where the file system can do that.
   */
  async complete(inodes: readonly InodePlan[]): Promise<void> {
    const { output, meter } = this.place;
    const waiting: InodePlan[] = [];
    const live = new Map<TakenContent, InodePlan>();
    const holes = new HoleContents(this.place.spool);
    for (const inode of inodes) {
      const { node } = inode;
      if (node.kind !== 'file' || inode.size === 0) continue;
      if (node.content instanceof TakenContent) live.set(node.content, inode);
      else if (node.content instanceof AbsentContent) inode.content = holes.of(inode.size);
      else waiting.push(inode);
    }
    const bytes = contentBytes(waiting);
    meter.begin(inodes, contentBytes(inodes) - bytes);
    await this.#addAll(waiting, bytes);
    await this.#store?.finish();
    output.flush();
    for (const content of this.#taken.splice(0)) {
      const inode = live.get(content);
      if (inode === undefined) this.#forget(content);
      else inode.content = content.stored;
    }
    meter.report();
  }

  async #addAll(waiting: readonly InodePlan[], bytes: number): Promise<void> {
    if (waiting.length === 0) return;
    const store = (this.#store ??= this.#makeStore(bytes));
    await this.place.crew.expect(bytes);
    for (const inode of waiting) {
      const { node, size, serial } = inode;
      if (node.kind !== 'file') continue;
      using reader = node.content.open();
      const incoming = {
        size,
        serial,
        shown: () => inode.shown(),
        onStored: (stored: StoredContent) => (inode.content = stored),
      };
      await store.add(incoming, reader);
    }
  }

  #makeStore(expectedBytes?: number): ContentStore {
    const { output, spool, crew, choice, meter } = this.place;
    return new ContentStore(output, spool, crew, choice, meter, expectedBytes);
  }

  #forget({ stored }: TakenContent): void {
    if (stored === undefined || stored.blocks === 0) return;
    punchHole(this.place.fd, stored.startBlock * BLOCK_SIZE, stored.blocks * BLOCK_SIZE);
  }
}
