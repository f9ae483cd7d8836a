import { checkRange, type ByteSource } from './byte-source';
import type { ImageSources } from './image-sources';
import type { Inode } from './inode';
import type { BlockUse } from './layout/data-layout';
import { dataLayouts } from './layout/select';

/** The bytes of one inode: the packed and the metabox file are files of the image like any other. */
export class InodeSource implements ByteSource {
  constructor(
    private readonly image: ImageSources,
    private readonly inode: Inode,
    private readonly use: BlockUse = 'data',
  ) {}

  get label(): string {
    return this.image.label;
  }

  get size(): number {
    return this.inode.size;
  }

  async read(position: number, length: number): Promise<Buffer> {
    checkRange(this, position, length);
    if (length === 0) return Buffer.alloc(0);
    return dataLayouts[this.inode.layout].read(this.image, this.inode, position, length, this.use);
  }

  /** The image belongs to somebody else. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
