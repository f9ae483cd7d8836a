import type { Nid } from './brands';
import type { ByteSource } from './byte-source';
import { ErofsCorruptError, ErofsUnsupportedError, ErofsUsageError } from './errors';
import { INCOMPAT } from './format/feature';
import { deviceSlotRecord } from './format/device';
import type { Site } from './format/record';
import { readRange } from './read-range';
import { upToNul, type Superblock } from './superblock';

/** One extra device of an image, as its table describes it. Addresses are in blocks. */
export interface DeviceSlot {
  /** Name or digest that mkfs gave it, up to its first NUL; often empty. */
  readonly tag: Buffer;
  readonly blocks: number;
  /** First block where all devices are seen as one; 0: it has no place there. */
  readonly uniformAddress: number;
}

/** Bytes on some device; `source` undefined stands for the image itself. */
export interface DevicePosition {
  readonly source: ByteSource | undefined;
  /** Bytes from the start of that source. */
  readonly position: number;
}

/**
 * The extra devices of an image (Linux 5.16): further files that chunks point into. Where they are not given, all
 * are taken to lie in the image one behind the other, as Linux does without `device=`.
 */
export class DeviceTable implements AsyncDisposable {
  private constructor(
    private readonly image: string,
    private readonly blockSize: number,
    readonly slots: readonly DeviceSlot[],
    private readonly sources: readonly ByteSource[],
    private readonly imageSize: number,
  ) {}

  /** Reads the table; `sources` are the devices in its order, all or none. Owns them once this has succeeded. */
  static async read(
    superblock: Superblock,
    metadata: ByteSource,
    sources: readonly ByteSource[],
  ): Promise<DeviceTable> {
    const { extraDevices, deviceTableOffset } = superblock;
    const { label } = metadata;
    if (sources.length > 0 && sources.length !== extraDevices) {
      throw new ErofsUsageError(
        { image: label, field: 'superblock.extraDevices' },
        'EINVAL',
        `the image wants ${extraDevices} devices, ${sources.length} are given`,
      );
    }
    const length = extraDevices * deviceSlotRecord.size;
    const table = await readRange(
      metadata,
      deviceTableOffset,
      length,
      undefined,
      'superblock.deviceTableSlot',
    );
    const site: Site = { image: label, origin: deviceTableOffset };
    const wide = (superblock.featureIncompat & INCOMPAT['48BIT']) !== 0;
    const slots = Array.from({ length: extraDevices }, (_, index) => {
      const raw = deviceSlotRecord.read(table, index * deviceSlotRecord.size, site);
      return {
        tag: Buffer.from(upToNul(raw.tag)),
        blocks: raw.blocksLow + (wide ? raw.blocksHigh * 2 ** 32 : 0),
        uniformAddress: raw.uniformAddressLow + (wide ? raw.uniformAddressHigh * 2 ** 32 : 0),
      };
    });
    return new DeviceTable(label, superblock.blockSize, slots, sources, metadata.size);
  }

  /** How many devices there are with content of this image, where none was given and their content is not in it. */
  get missing(): number {
    if (this.sources.length > 0) return 0;
    const end = Math.max(0, ...this.slots.map(({ uniformAddress, blocks }) => uniformAddress + blocks));
    return end * this.blockSize > this.imageSize ? this.slots.length : 0;
  }

  /** Blocks of all extra devices together. */
  get blocks(): number {
    return this.slots.reduce((sum, { blocks }) => sum + blocks, 0);
  }

  /** The device that an id in a chunk index means: 0 for the image itself, else a slot counted from 1. */
  number(deviceId: number): number {
    return deviceId & (2 ** Math.ceil(Math.log2(this.slots.length + 1)) - 1);
  }

  /** Where block `block` of device `deviceId` is, for inode `nid`; only as many bits of the id count as the table needs. */
  locate(deviceId: number, block: number, nid: Nid): DevicePosition {
    const number = deviceId === 0 ? 0 : this.number(deviceId);
    if (number === 0) return this.#locateUniform(block);
    const slot = this.slots[number - 1];
    if (slot === undefined) {
      throw new ErofsCorruptError(
        { image: this.image, nid, field: 'chunk index.deviceId' },
        `device ${number} of ${this.slots.length}`,
      );
    }
    const source = this.sources[number - 1];
    if (source !== undefined) return { source, position: block * this.blockSize };
    return this.#inImage(nid, number, (slot.uniformAddress + block) * this.blockSize);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.sources) await source[Symbol.asyncDispose]();
  }

  #locateUniform(block: number): DevicePosition {
    if (this.sources.length === 0) return { source: undefined, position: block * this.blockSize };
    for (const [index, { uniformAddress, blocks }] of this.slots.entries()) {
      const source = this.sources[index];
      if (source === undefined || uniformAddress === 0) continue;
      if (block < uniformAddress || block >= uniformAddress + blocks) continue;
      return { source, position: (block - uniformAddress) * this.blockSize };
    }
    return { source: undefined, position: block * this.blockSize };
  }

  #inImage(nid: Nid, number: number, position: number): DevicePosition {
    if (position < this.imageSize) return { source: undefined, position };
    throw new ErofsUnsupportedError(
      { image: this.image, nid, offset: position, field: 'chunk index.deviceId' },
      `the bytes are on extra device ${number}, which was not given`,
    );
  }
}
