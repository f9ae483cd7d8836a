import { fieldOf, HEADER, SPARSE_BLOCK, SPARSE_ENTRY_BYTES, TAR_BLOCK, type Header } from './header';
import { BadFieldError, decodeDecimal, decodeNumber, shown } from './number';
import type { PaxRecord } from './pax';

/** A stretch of a sparse file that is in the stream. */
export interface SparseStretch {
  /** Byte offset in the file. */
  readonly start: number;
  /** Bytes. */
  readonly length: number;
}

/** A file with holes, as GNU tar describes it. */
export interface SparseFile {
  /** Bytes with holes. */
  readonly size: number;
  /** Ascending, without overlap, none empty; their bytes follow each other in the stream. */
  readonly stretches: readonly SparseStretch[];
}

/** Bytes that a map may take in the stream, as in Go: memory must not depend on what a stream claims. */
export const SPARSE_MAP_MAX = 1024 * 1024;

/** More than the digits of any number of a map. */
const DIGITS_MAX = 20;

/** Reads the next bytes of the stream, exactly so many. Where the stream ends before, it throws. */
export type TakeBytes = (length: number) => Promise<Buffer>;

/** The map of an old GNU sparse header (type `S`), which may continue in blocks of its own. */
export async function readOldSparseMap(header: Header, take: TakeBytes): Promise<SparseFile> {
  const size = header.get(HEADER.gnuRealSize);
  const numbers = mapNumbers(header.get(HEADER.gnuSparse));
  let more = isSet(header.get(HEADER.gnuSparseMore));
  for (let read = 0; more; read += TAR_BLOCK) {
    if (read >= SPARSE_MAP_MAX) throw tooLong();
    const block = await take(TAR_BLOCK);
    for (const value of mapNumbers(fieldOf(block, SPARSE_BLOCK.entries))) numbers.push(value);
    more = isSet(fieldOf(block, SPARSE_BLOCK.more));
  }
  return sparseFile(size, numbers);
}

/** The name of a sparse file; the one in the header says that it is sparse. */
export const SPARSE_NAME_KEY = 'GNU.sparse.name';

const KEY_PREFIX = 'GNU.sparse.';

/** What the PAX records of an entry say about its holes. */
export interface PaxSparse {
  /** Bytes with holes. */
  readonly size: number;
  /** Offsets and lengths in turn; undefined: they stand before the content in the stream. */
  readonly numbers: readonly number[] | undefined;
}

/** Formats 0.0, 0.1 and 1.0 (GNU tar's manual, "Storing Sparse Files"). Undefined: the file has no holes. */
export function paxSparse(records: readonly PaxRecord[]): PaxSparse | undefined {
  const values = new Map<string, Buffer>();
  // Format 0.0 says these once for each stretch, and in this order.
  const numbers: number[] = [];
  for (const { key, value } of records) {
    if (!key.startsWith(KEY_PREFIX)) continue;
    const field = key.slice(KEY_PREFIX.length);
    values.set(field, value);
    if (field !== 'offset' && field !== 'numbytes') continue;
    if ((field === 'offset') !== (numbers.length % 2 === 0)) throw unpaired();
    numbers.push(decodeDecimal(value));
  }
  const major = values.get('major');
  const map = values.get('map');
  const size = values.get('realsize') ?? values.get('size');
  if (size === undefined) return undefined;
  if (major !== undefined) {
    const version = `${major.toString('latin1')}.${values.get('minor')?.toString('latin1') ?? ''}`;
    if (version === '1.0') return { size: decodeDecimal(size), numbers: undefined };
    if (version !== '0.0' && version !== '0.1') throw new BadFieldError(`sparse format ${version}`);
  }
  if (map !== undefined) return { size: decodeDecimal(size), numbers: listedNumbers(map) };
  return { size: decodeDecimal(size), numbers };
}

/** The map of format 1.0, lines of digits that stand before the content and fill whole blocks. */
export async function readLeadingSparseMap(size: number, take: TakeBytes): Promise<SparseFile> {
  let text = '';
  let mapBytes = 0;
  const numbers: number[] = [];
  // The first line counts the stretches.
  for (let wanted = 1; numbers.length < wanted;) {
    const end = text.indexOf('\n');
    if (end < 0) {
      if (mapBytes >= SPARSE_MAP_MAX) throw tooLong();
      if (text.length > DIGITS_MAX) throw new BadFieldError(`the sparse map has ${shown(text)} for a number`);
      text += (await take(TAR_BLOCK)).toString('latin1');
      mapBytes += TAR_BLOCK;
      continue;
    }
    const value = decodeDecimal(Buffer.from(text.slice(0, end), 'latin1'));
    text = text.slice(end + 1);
    if (numbers.length === 0) wanted = 1 + 2 * value;
    numbers.push(value);
  }
  return sparseFile(size, numbers.slice(1));
}

/** Throws BadFieldError unless the stretches lie in the file one after the other. */
export function sparseFile(size: number, numbers: readonly number[]): SparseFile {
  if (numbers.length % 2 !== 0) throw unpaired();
  const stretches: SparseStretch[] = [];
  let end = 0;
  for (let index = 0; index < numbers.length; index += 2) {
    const start = numbers[index] ?? 0;
    const length = numbers[index + 1] ?? 0;
    if (start < end || length < 0 || start + length > size) {
      throw new BadFieldError(
        `the sparse map has ${length} bytes at ${start}, behind ${end} and in a file of ${size}`,
      );
    }
    end = start + length;
    if (length > 0) stretches.push({ start, length });
  }
  return { size, stretches };
}

/** Offsets and lengths in turn, up to an empty entry. */
function mapNumbers(bytes: Buffer): number[] {
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length; at += SPARSE_ENTRY_BYTES) {
    if (bytes[at] === 0) break;
    const middle = at + SPARSE_ENTRY_BYTES / 2;
    numbers.push(decodeNumber(bytes.subarray(at, middle)));
    numbers.push(decodeNumber(bytes.subarray(middle, at + SPARSE_ENTRY_BYTES)));
  }
  return numbers;
}

function listedNumbers(map: Buffer): number[] {
  if (map.length === 0) return [];
  return map
    .toString('latin1')
    .split(',')
    .map((each) => decodeDecimal(Buffer.from(each, 'latin1')));
}

function isSet(byte: Buffer): boolean {
  return byte[0] !== 0;
}

function tooLong(): BadFieldError {
  return new BadFieldError(`the sparse map takes more than ${SPARSE_MAP_MAX} bytes`);
}

function unpaired(): BadFieldError {
  return new BadFieldError('the sparse map has an offset without a length, or the reverse');
}
