import type { ByteSource } from '../byte-source';
import { checkRange } from '../byte-source';
import { ErofsDigestError } from '../errors';
import type { SpareBuffers } from '../../linux/spare-buffers';
import { FileSource } from '../file-source';
import { DigestTable, type DigestTableFile } from './digest-table';
import { UnitHasher } from './unit-hasher';

/** What an image file is compared with while it is read. */
export interface ImageDigests extends DigestTableFile {
  /** Hashes for it; images should share one. One of its own where it is left out. */
  readonly hasher?: UnitHasher | undefined;
}

/**
 * An image file of which every byte that is given out was compared with the digest table: whole units are read and
 * hashed. A read rejects with ErofsDigestError where a unit that it touches is wrong, and only then.
 */
export class VerifyingSource implements ByteSource {
  private constructor(
    private readonly file: FileSource,
    private readonly table: DigestTable,
    private readonly hasher: UnitHasher,
    private readonly ownHasher: boolean,
  ) {}

  /**
   * Opens an image file and its table. Rejects as `FileSource.open` and `DigestTable.read` do, and with ErofsDigestError
   * where the image is longer or shorter than it was.
   */
  static async open(
    path: string,
    digests: ImageDigests,
    label = path,
    scratch?: SpareBuffers,
  ): Promise<VerifyingSource> {
    const file = await FileSource.open(path, label, scratch);
    try {
      const table = await DigestTable.read(digests, label);
      if (file.size !== table.imageLength) {
        throw new ErofsDigestError(
          { image: label, field: 'image' },
          `has ${file.size} bytes, ${table.imageLength} were recorded`,
        );
      }
      const { hasher = new UnitHasher() } = digests;
      return new VerifyingSource(file, table, hasher, hasher !== digests.hasher);
    } catch (error) {
      await file[Symbol.asyncDispose]();
      throw error;
    }
  }

  get label(): string {
    return this.file.label;
  }

  get size(): number {
    return this.file.size;
  }

  async read(position: number, length: number): Promise<Buffer> {
    checkRange(this, position, length);
    if (length === 0) return Buffer.alloc(0);
    const { unitSize } = this.table;
    const start = position - (position % unitSize);
    const end = Math.min(Math.ceil((position + length) / unitSize) * unitSize, this.size);
    const units = await this.file.read(start, end - start);
    const [wrong] = this.table.wrongUnits(start, await this.hasher.digests(units, unitSize));
    if (wrong === undefined) return units.subarray(position - start, position - start + length);
    const { offset, expected, actual } = wrong;
    throw new ErofsDigestError(
      { image: this.label, offset, field: 'image' },
      `the ${Math.min(unitSize, this.size - offset)} bytes there have the SHA-256 ${actual}, recorded is ${expected}`,
      wrong,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file[Symbol.asyncDispose]();
    if (this.ownHasher) await this.hasher[Symbol.asyncDispose]();
  }
}
