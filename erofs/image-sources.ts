import { isMetaboxNid, type Nid } from './brands';
import type { ByteSource } from './byte-source';
import type { ImageCompression } from './compression/image-compression';
import type { DeviceTable } from './device-table';
import { ErofsCorruptError } from './errors';
import type { Superblock } from './superblock';

/** All that the parts of a reader read from, in one hand. Owns every source. */
export class ImageSources implements AsyncDisposable {
  readonly label: string;
  #metabox: ByteSource | undefined;
  #openPacked: (() => Promise<ByteSource>) | undefined;

  constructor(
    readonly superblock: Superblock,
    /** The image as it is read once: content of regular files. */
    readonly data: ByteSource,
    /** The same bytes through a cache: inodes, tables, directories, and tails that lie beside inodes. */
    readonly metadata: ByteSource,
    readonly devices: DeviceTable,
    readonly compression: ImageCompression,
  ) {
    this.label = data.label;
  }

  /** The metabox file (Linux 6.17), once it is attached. */
  get metabox(): ByteSource | undefined {
    return this.#metabox;
  }

  attachMetabox(metabox: ByteSource): void {
    this.#metabox = metabox;
  }

  /** `open` gives the packed file (Linux 6.1), each time that a fragment is wanted. */
  attachPacked(open: () => Promise<ByteSource>): void {
    this.#openPacked = open;
  }

  /** The packed file, for a fragment of inode `nid`: it holds none itself, so that fragments cannot go in circles. */
  async packed(nid: Nid): Promise<ByteSource> {
    const { packedNid } = this.superblock;
    const site = { image: this.label, nid, field: 'superblock.packedNid' };
    if (packedNid === undefined || this.#openPacked === undefined) {
      throw new ErofsCorruptError(site, 'a fragment, but the image has no packed file');
    }
    if (nid === packedNid) throw new ErofsCorruptError(site, 'the packed file has a fragment itself');
    // The metabox file may have a fragment, which could then be looked for in itself.
    if (isMetaboxNid(packedNid))
      throw new ErofsCorruptError(site, 'the packed file lies in the metabox file');
    return await this.#openPacked();
  }

  /** Where an inode lies, and all that follows it: xattrs, tables, an inline tail. Offsets count from its start. */
  home(nid: Nid): ByteSource {
    if (!isMetaboxNid(nid)) return this.metadata;
    if (this.#metabox !== undefined) return this.#metabox;
    throw new ErofsCorruptError({ image: this.label, nid, field: 'nid' }, 'the image has no metabox file');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.compression.clear();
    await this.#metabox?.[Symbol.asyncDispose]();
    await this.metadata[Symbol.asyncDispose]();
    await this.data[Symbol.asyncDispose]();
    await this.devices[Symbol.asyncDispose]();
  }
}
