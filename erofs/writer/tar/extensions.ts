import type { Xattr } from '../tree';
import { BadFieldError } from './number';
import type { PaxRecord } from './pax';
import { SPARSE_NAME_KEY } from './sparse';
import { xattrOfRecord } from './xattr-records';

/** Bytes that the records for all entries may take together: each entry is measured against all of them. */
const GLOBAL_BYTES_MAX = 64 * 1024;

/** PAX records that hold for all entries that follow (type `g`), later ones over earlier ones. */
export class GlobalRecords {
  readonly #values = new Map<string, Buffer>();
  #bytes = 0;

  /** Keeps copies. Throws BadFieldError where there are too many. */
  add(records: readonly PaxRecord[]): void {
    for (const { key, value } of records) {
      const earlier = this.#values.get(key);
      if (earlier !== undefined) this.#bytes -= key.length + earlier.length;
      this.#values.delete(key);
      // An empty value takes the record back.
      if (value.length === 0) continue;
      this.#bytes += key.length + value.length;
      if (this.#bytes > GLOBAL_BYTES_MAX) {
        throw new BadFieldError(`global records of more than ${GLOBAL_BYTES_MAX} bytes`);
      }
      this.#values.set(key, Buffer.from(value));
    }
  }

  get values(): ReadonlyMap<string, Buffer> {
    return this.#values;
  }
}

/** What the headers before an entry's own say about it. */
export class Extensions {
  /** PAX records for this entry alone, in their order. */
  readonly records: PaxRecord[] = [];
  readonly #values = new Map<string, Buffer>();
  /** From GNU tar's headers for what is longer than 100 bytes. */
  longName: Buffer | undefined;
  longLink: Buffer | undefined;

  constructor(private readonly global: GlobalRecords) {}

  /** Nothing was said about this entry alone. */
  get empty(): boolean {
    return this.records.length === 0 && this.longName === undefined && this.longLink === undefined;
  }

  add(records: readonly PaxRecord[]): void {
    for (const record of records) {
      this.records.push(record);
      this.#values.set(record.key, record.value);
    }
  }

  /** Value of a record, of this entry or else of all. */
  value(key: string): Buffer | undefined {
    const value = this.#values.get(key) ?? this.global.values.get(key);
    return value?.length === 0 ? undefined : value;
  }

  /** The name in place of the header's. */
  get name(): Buffer | undefined {
    return this.value(SPARSE_NAME_KEY) ?? this.longName ?? this.value('path');
  }

  /** The target of a link in place of the header's. */
  get link(): Buffer | undefined {
    return this.longLink ?? this.value('linkpath');
  }

  /** Copies of the extended attributes; empty values are values here. Throws BadFieldError. */
  xattrs(): readonly Xattr[] {
    const found = new Map<string, Xattr>();
    const global = [...this.global.values].map(([key, value]): PaxRecord => ({ key, value }));
    for (const record of [...global, ...this.records]) {
      const xattr = xattrOfRecord(record);
      if (xattr === undefined) continue;
      found.set(xattr.name.toString('latin1'), { name: xattr.name, value: Buffer.from(xattr.value) });
    }
    return found.size === 0 ? NO_XATTRS : [...found.values()];
  }
}

const NO_XATTRS: readonly Xattr[] = [];
