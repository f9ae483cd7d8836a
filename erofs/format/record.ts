import { METABOX_NID, MAX_NID, type Nid } from '../brands';
import { ErofsCorruptError, type ErofsErrorSite } from '../errors';

/**
 * On-disk structures as data: a record is a table of named fields with offsets, and both directions go through
 * it. Reading checks bounds once for the whole record; writing checks that each value fits its field.
 * Everything is little-endian.
 */

/** Where a buffer that is being decoded came from; errors are made of it. */
export interface Site {
  readonly image: string;
  readonly nid?: Nid | undefined;
  /** Byte offset of the buffer's first byte: in the image, or in the inode's data if `inData` is set. */
  readonly origin: number;
  readonly inData?: boolean | undefined;
}

/** Where byte `at` of a buffer is, for an error about `field`. */
export function errorSite(site: Site, at: number, field: string): ErofsErrorSite {
  return { image: site.image, nid: site.nid, offset: site.origin + at, inData: site.inData, field };
}

/** One field of a record. `read` and `write` take the position of the record, not of the field. */
export interface Field<T> {
  readonly name: string;
  /** Bytes from the start of the record. */
  readonly offset: number;
  /** Bytes. */
  readonly width: number;
  /** Bounds are the caller's duty here; `RecordType.read` checks them. */
  read(buffer: Buffer, base: number, site: Site): T;
  /** Throws RangeError naming the field when the value does not fit. */
  write(buffer: Buffer, base: number, value: T): void;
}

/** A field before the record gives it a name. */
export interface FieldSpec<T> {
  readonly offset: number;
  readonly width: number;
  /** Shares its bytes with another field on purpose: the format has a union here. */
  readonly union: boolean;
  bind(name: string): Field<T>;
}

export type FieldSpecs = Readonly<Record<string, FieldSpec<unknown>>>;

type ValueOf<Spec> = Spec extends FieldSpec<infer T> ? T : never;

/** The values of a record: what reading gives and writing takes. */
export type RecordValues<Specs extends FieldSpecs> = { readonly [Name in keyof Specs]: ValueOf<Specs[Name]> };

export interface RecordType<Specs extends FieldSpecs> {
  readonly name: string;
  /** Bytes on disk. */
  readonly size: number;
  /** The single fields, for loops that want one field and make no object. */
  readonly fields: { readonly [Name in keyof Specs]: Field<ValueOf<Specs[Name]>> };
  /**
   * A view of the record at `base` of `buffer`: fields are decoded when they are asked for, so the buffer must not
   * change meanwhile. Throws ErofsCorruptError when the buffer is too short, and on fields that no number holds.
   */
  read(buffer: Buffer, base: number, site: Site): RecordValues<Specs>;
  /** Zeroes `size` bytes at `base` and writes the given fields; fields left out stay zero. */
  write(buffer: Buffer, base: number, values: Partial<RecordValues<Specs>>): void;
}

class View {
  constructor(
    readonly buffer: Buffer,
    readonly base: number,
    readonly site: Site,
  ) {}
}

/** Declares a record. Throws where the table is wrong: a field outside the record, or an overlap that is no union. */
export function defineRecord<const Specs extends FieldSpecs>(
  name: string,
  size: number,
  specs: Specs,
): RecordType<Specs> {
  const owner = new Array<string | undefined>(size);
  const fields: Record<string, Field<unknown>> = {};
  class RecordView extends View {}
  for (const [fieldName, spec] of Object.entries(specs)) {
    if (spec.offset < 0 || spec.offset + spec.width > size)
      throw new Error(`${name}.${fieldName} lies outside`);
    for (let at = spec.offset; at < spec.offset + spec.width; at++) {
      if (owner[at] !== undefined && !spec.union)
        throw new Error(`${name}.${fieldName} overlaps ${owner[at]}`);
      owner[at] = fieldName;
    }
    const field = spec.bind(`${name}.${fieldName}`);
    fields[fieldName] = field;
    Object.defineProperty(RecordView.prototype, fieldName, {
      enumerable: true,
      get(this: View) {
        return field.read(this.buffer, this.base, this.site);
      },
    });
  }
  return {
    name,
    size,
    fields: fields as RecordType<Specs>['fields'],
    read(buffer, base, site) {
      if (base < 0 || base + size > buffer.length) {
        throw new ErofsCorruptError(
          errorSite(site, base, name),
          `needs ${size} bytes, ${Math.max(0, buffer.length - base)} are there`,
        );
      }
      return new RecordView(buffer, base, site) as unknown as RecordValues<Specs>;
    },
    write(buffer, base, values) {
      if (base < 0 || base + size > buffer.length) throw new RangeError(`${name}: no room at ${base}`);
      buffer.fill(0, base, base + size);
      for (const [fieldName, value] of Object.entries(values)) {
        if (value !== undefined) fields[fieldName]?.write(buffer, base, value);
      }
    },
  };
}

type ReadNumber = (buffer: Buffer, at: number) => number;
type WriteNumber = (buffer: Buffer, at: number, value: number) => void;

function integer(offset: number, width: number, read: ReadNumber, write: WriteNumber): FieldSpec<number> {
  const limit = 2 ** (8 * width);
  return {
    offset,
    width,
    union: false,
    bind: (name) => ({
      name,
      offset,
      width,
      read: (buffer, base) => read(buffer, base + offset),
      write: (buffer, base, value) => {
        requireInteger(name, value, 0, limit - 1);
        write(buffer, base + offset, value);
      },
    }),
  };
}

export function u8(offset: number): FieldSpec<number> {
  return integer(
    offset,
    1,
    (buffer, at) => buffer.readUInt8(at),
    (buffer, at, value) => buffer.writeUInt8(value, at),
  );
}

export function u16(offset: number): FieldSpec<number> {
  return integer(
    offset,
    2,
    (buffer, at) => buffer.readUInt16LE(at),
    (buffer, at, value) => buffer.writeUInt16LE(value, at),
  );
}

export function u32(offset: number): FieldSpec<number> {
  return integer(
    offset,
    4,
    (buffer, at) => buffer.readUInt32LE(at),
    (buffer, at, value) => buffer.writeUInt32LE(value, at),
  );
}

/** Unsigned 64 bits; values of 2^53 and more are refused as corrupt, for nothing real reaches them. */
export function u64(offset: number): FieldSpec<number> {
  return {
    offset,
    width: 8,
    union: false,
    bind: (name) => ({
      name,
      offset,
      width: 8,
      read(buffer, base, site) {
        const value = buffer.readUInt32LE(base + offset + 4) * 2 ** 32 + buffer.readUInt32LE(base + offset);
        if (value > Number.MAX_SAFE_INTEGER) throw beyondNumbers(name, buffer, base + offset, site);
        return value;
      },
      write(buffer, base, value) {
        requireInteger(name, value, 0, Number.MAX_SAFE_INTEGER);
        buffer.writeBigUInt64LE(BigInt(value), base + offset);
      },
    }),
  };
}

/** Signed 64 bits, for seconds since 1970; magnitudes of 2^53 and more are refused as corrupt. */
export function s64(offset: number): FieldSpec<number> {
  return {
    offset,
    width: 8,
    union: false,
    bind: (name) => ({
      name,
      offset,
      width: 8,
      read(buffer, base, site) {
        const value = buffer.readInt32LE(base + offset + 4) * 2 ** 32 + buffer.readUInt32LE(base + offset);
        if (!Number.isSafeInteger(value)) throw beyondNumbers(name, buffer, base + offset, site);
        return value;
      },
      write(buffer, base, value) {
        requireInteger(name, value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
        buffer.writeBigInt64LE(BigInt(value), base + offset);
      },
    }),
  };
}

const BIT_31 = 0x8000_0000;

/** A node number: 63 bits and the metabox bit. Beyond MAX_NID no byte offset would be exact: refused as corrupt. */
export function nid64(offset: number): FieldSpec<Nid> {
  return {
    offset,
    width: 8,
    union: false,
    bind: (name) => ({
      name,
      offset,
      width: 8,
      read(buffer, base, site) {
        const high = buffer.readUInt32LE(base + offset + 4);
        const metabox = high >= BIT_31;
        const slot = (metabox ? high - BIT_31 : high) * 2 ** 32 + buffer.readUInt32LE(base + offset);
        if (slot > MAX_NID) throw beyondNumbers(name, buffer, base + offset, site);
        return (metabox ? METABOX_NID + slot : slot) as Nid;
      },
      write(buffer, base, value) {
        const metabox = value >= METABOX_NID;
        const slot = metabox ? value - METABOX_NID : value;
        requireInteger(name, slot, 0, MAX_NID);
        buffer.writeUInt32LE(slot % 2 ** 32, base + offset);
        buffer.writeUInt32LE(Math.floor(slot / 2 ** 32) + (metabox ? BIT_31 : 0), base + offset + 4);
      },
    }),
  };
}

/** Raw bytes. Reading gives a view of the buffer; a shorter value is padded with zeros when written. */
export function bytes(offset: number, width: number): FieldSpec<Buffer> {
  return {
    offset,
    width,
    union: false,
    bind: (name) => ({
      name,
      offset,
      width,
      read: (buffer, base) => buffer.subarray(base + offset, base + offset + width),
      write(buffer, base, value) {
        if (value.length > width)
          throw new RangeError(`${name}: ${value.length} bytes do not fit in ${width}`);
        buffer.fill(0, base + offset, base + offset + width);
        value.copy(buffer, base + offset);
      },
    }),
  };
}

/** Marks a field that shares bytes with those declared before it. */
export function union<T>(spec: FieldSpec<T>): FieldSpec<T> {
  return { ...spec, union: true };
}

function requireInteger(name: string, value: number, lowest: number, highest: number): void {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return;
  throw new RangeError(`${name}: ${value} is no whole number from ${lowest} to ${highest}`);
}

function beyondNumbers(field: string, buffer: Buffer, at: number, site: Site): ErofsCorruptError {
  return new ErofsCorruptError(
    errorSite(site, at, field),
    `0x${buffer.readBigUInt64LE(at).toString(16)} is beyond every real image`,
  );
}
