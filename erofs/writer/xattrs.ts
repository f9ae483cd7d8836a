import {
  sharedXattrIdRecord,
  xattrBodyRecord,
  xattrEntryRecord,
  XATTR_ALIGNMENT,
  XATTR_FILTER_EMPTY,
} from '../format/xattr';
import { splitXattrName, xattrFilterBit } from '../xattr-name';
import { UnrepresentableError } from './errors';
import { FINGERPRINT_VALUE_BYTES, type FingerprintXattr } from './fingerprint-xattr';
import { roundUp } from './geometry';
import type { HiddenXattr } from './hidden-xattr';
import type { Xattr } from './tree';

/** Largest `xattrCount` of an inode, as bytes of its body. */
const BODY_BYTES_MAX = xattrBodyRecord.size + (0xffff - 1) * XATTR_ALIGNMENT;
const VALUE_BYTES_MAX = 0xffff;
const SHARED_COUNT_MAX = 0xff;

/** An inode as far as its attributes go. */
export interface XattrOwner {
  readonly xattrs: readonly Xattr[];
  /** An attribute of the fingerprint's name that a regular file brings along is a mere claim, and dropped. */
  readonly regularFile: boolean;
  /** Whether the inode gets a fingerprint. */
  readonly fingerprinted: boolean;
  /** What the image's builder leaves there for itself. */
  readonly note: HiddenXattr | undefined;
  /** Name for errors. */
  shown(): string;
}

/** An attribute taken apart; both buffers are those of the tree. */
interface Entry {
  readonly nameIndex: number;
  readonly name: Buffer;
  readonly value: Buffer;
  readonly filterBit: number;
}

/** Attributes of one inode, laid out; all but the fingerprint's value is known. */
export interface XattrBody {
  /** Bytes, a multiple of 4. */
  readonly size: number;
  readonly nameFilter: number;
  readonly sharedIds: readonly number[];
  readonly inline: readonly Entry[];
  readonly fingerprint: FingerprintXattr | undefined;
}

export interface PackedXattrs {
  /** One for each owner in its order; undefined: the inode has no attributes. */
  readonly bodies: readonly (XattrBody | undefined)[];
  /** The shared area as it stands in the image; ids count from its start. */
  readonly sharedArea: Buffer;
}

/**
 * Lays out the attributes of all inodes. What two or more inodes have with the same value stands once, in the shared
 * area. Fingerprints never do: their values are known only later.
 *
 * @param note for the first owner, in place of its own. Throws UnrepresentableError naming the file and the attribute.
 */
export function packXattrs(
  owners: readonly XattrOwner[],
  fingerprint: FingerprintXattr,
  note?: HiddenXattr,
): PackedXattrs {
  const uses = new Map<string, number>();
  for (const owner of owners) {
    for (const xattr of ownAttributes(owner, fingerprint)) {
      const key = attributeKey(xattr);
      uses.set(key, (uses.get(key) ?? 0) + 1);
    }
  }
  const shared = new SharedArea();
  const names = new NameTable();
  const common = plainBody([], [], fingerprint);
  const bodies = owners.map((owner, index) => {
    const noted = index === 0 ? note : owner.note;
    if (owner.xattrs.length === 0 && noted === undefined) return owner.fingerprinted ? common : undefined;
    const sharedIds: number[] = [];
    const inline: Entry[] = [];
    const filterBits: number[] = [];
    if (noted !== undefined) {
      inline.push({ ...noted, name: NO_NAME });
      filterBits.push(noted.filterBit);
    }
    for (const xattr of ownAttributes(owner, fingerprint)) {
      const entry = names.entryOf(xattr, owner);
      filterBits.push(entry.filterBit);
      const key = attributeKey(xattr);
      if ((uses.get(key) ?? 0) >= 2 && sharedIds.length < SHARED_COUNT_MAX) {
        sharedIds.push(shared.idOf(key, entry));
      } else {
        inline.push(entry);
      }
    }
    if (filterBits.length === 0) return owner.fingerprinted ? common : undefined;
    const body = plainBody(sharedIds, inline, owner.fingerprinted ? fingerprint : undefined, filterBits);
    if (body.size > BODY_BYTES_MAX) throw tooMuch(owner, body);
    return body;
  });
  return { bodies, sharedArea: shared.bytes() };
}

/** The body as it stands in the image; `fingerprintValue` is needed where the body has a fingerprint. */
export function encodeXattrBody(body: XattrBody, fingerprintValue: Buffer | undefined): Buffer {
  const bytes = Buffer.alloc(body.size);
  xattrBodyRecord.write(bytes, 0, { nameFilter: body.nameFilter, sharedCount: body.sharedIds.length });
  let position = xattrBodyRecord.size;
  for (const id of body.sharedIds) {
    sharedXattrIdRecord.write(bytes, position, { id });
    position += sharedXattrIdRecord.size;
  }
  if (body.fingerprint !== undefined) {
    if (fingerprintValue === undefined) throw new Error('a fingerprinted inode without its fingerprint');
    const { nameIndex } = body.fingerprint;
    position += writeEntry(bytes, position, nameIndex, NO_NAME, fingerprintValue);
  }
  for (const entry of body.inline) {
    position += writeEntry(bytes, position, entry.nameIndex, entry.name, entry.value);
  }
  return bytes;
}

const NO_NAME = Buffer.alloc(0);

/** Sorted by name, so that the order in which a file system lists attributes does not reach the image. */
function ownAttributes(owner: XattrOwner, fingerprint: FingerprintXattr): readonly Xattr[] {
  if (owner.xattrs.length === 0) return owner.xattrs;
  return owner.xattrs
    .filter((xattr) => !(owner.regularFile && xattr.name.equals(fingerprint.fullName)))
    .sort((one, other) => one.name.compare(other.name));
}

function attributeKey({ name, value }: Xattr): string {
  return `${name.toString('latin1')}\0${value.toString('latin1')}`;
}

function plainBody(
  sharedIds: readonly number[],
  inline: readonly Entry[],
  fingerprint: FingerprintXattr | undefined,
  filterBits: readonly number[] = [],
): XattrBody {
  let size = xattrBodyRecord.size + sharedIds.length * sharedXattrIdRecord.size;
  let nameFilter = XATTR_FILTER_EMPTY;
  if (fingerprint !== undefined) {
    size += entrySize(0, FINGERPRINT_VALUE_BYTES);
    nameFilter = withoutBit(nameFilter, fingerprint.filterBit);
  }
  for (const entry of inline) size += entrySize(entry.name.length, entry.value.length);
  for (const bit of filterBits) nameFilter = withoutBit(nameFilter, bit);
  return { size, nameFilter, sharedIds, inline, fingerprint };
}

function withoutBit(filter: number, bit: number): number {
  return (filter & ~(1 << bit)) >>> 0;
}

function entrySize(nameLength: number, valueLength: number): number {
  return roundUp(xattrEntryRecord.size + nameLength + valueLength, XATTR_ALIGNMENT);
}

/** Returns the bytes written, padding included. */
function writeEntry(into: Buffer, position: number, nameIndex: number, name: Buffer, value: Buffer): number {
  xattrEntryRecord.write(into, position, { nameLength: name.length, nameIndex, valueSize: value.length });
  name.copy(into, position + xattrEntryRecord.size);
  value.copy(into, position + xattrEntryRecord.size + name.length);
  return entrySize(name.length, value.length);
}

function tooMuch(owner: XattrOwner, body: XattrBody): UnrepresentableError {
  const largest = body.inline.reduce<Entry | undefined>(
    (most, entry) => (most !== undefined && most.value.length >= entry.value.length ? most : entry),
    undefined,
  );
  const example = largest === undefined ? '' : `, the largest of which is ${shownXattr(largest.name)}`;
  return new UnrepresentableError(
    owner.shown(),
    `its extended attributes take ${body.size} bytes${example}; EROFS has room for ${BODY_BYTES_MAX}`,
  );
}

function shownXattr(name: Buffer): string {
  return JSON.stringify(name.toString('utf8'));
}

/** Takes names apart, each once for the whole image. */
class NameTable {
  readonly #known = new Map<string, Omit<Entry, 'value'>>();

  entryOf({ name, value }: Xattr, owner: XattrOwner): Entry {
    if (value.length > VALUE_BYTES_MAX) {
      throw new UnrepresentableError(
        owner.shown(),
        `extended attribute ${shownXattr(name)} has a value of ${value.length} bytes; EROFS holds ${VALUE_BYTES_MAX}`,
      );
    }
    const key = name.toString('latin1');
    let known = this.#known.get(key);
    if (known === undefined) {
      const split = splitXattrName(name);
      if (split === undefined) {
        throw new UnrepresentableError(
          owner.shown(),
          `extended attribute ${shownXattr(name)} is in no namespace of EROFS`,
        );
      }
      const { baseIndex, rest } = split;
      known = { nameIndex: baseIndex, name: rest, filterBit: xattrFilterBit(baseIndex, rest) };
      this.#known.set(key, known);
    }
    return { ...known, value };
  }
}

class SharedArea {
  readonly #ids = new Map<string, number>();
  readonly #chunks: Buffer[] = [];
  #end = 0;

  /** Id of the shared entry, which is added where it is not there yet. */
  idOf(key: string, entry: Entry): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#end / XATTR_ALIGNMENT;
    const bytes = Buffer.alloc(entrySize(entry.name.length, entry.value.length));
    writeEntry(bytes, 0, entry.nameIndex, entry.name, entry.value);
    this.#ids.set(key, id);
    this.#chunks.push(bytes);
    this.#end += bytes.length;
    return id;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}
