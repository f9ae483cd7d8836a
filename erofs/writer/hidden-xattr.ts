import { BASE_HIDDEN, LONG_PREFIX, longPrefixRecord } from '../format/xattr';
import { xattrFilterBit } from '../xattr-name';

/** An attribute that no mount shows: its name is a long prefix as a whole, and in no namespace. */
export interface HiddenXattr {
  readonly nameIndex: number;
  readonly value: Buffer;
  /** See `xattrFilterBit`. */
  readonly filterBit: number;
}

/** The name of hidden attributes, which takes a long prefix of its image. */
export class HiddenName {
  readonly #nameIndex: number;
  readonly #filterBit: number;
  /** The long prefix as it stands in the image. */
  readonly prefixRecord: Buffer;

  constructor(name: string, prefixId: number) {
    const bytes = Buffer.from(name, 'latin1');
    this.#nameIndex = LONG_PREFIX | prefixId;
    this.#filterBit = xattrFilterBit(BASE_HIDDEN, bytes);
    this.prefixRecord = Buffer.alloc(longPrefixRecord.size + bytes.length);
    // The length of the record counts the base index too.
    longPrefixRecord.write(this.prefixRecord, 0, { length: bytes.length + 1, baseIndex: BASE_HIDDEN });
    bytes.copy(this.prefixRecord, longPrefixRecord.size);
  }

  with(value: Buffer): HiddenXattr {
    return { nameIndex: this.#nameIndex, filterBit: this.#filterBit, value };
  }
}
