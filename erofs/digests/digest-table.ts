import { webcrypto } from 'node:crypto';
import { ErofsCorruptError, ErofsDigestError, ErofsUnsupportedError, type ErofsErrorSite } from '../errors';
import { FileSource } from '../file-source';
import {
  DIGEST_TABLE_MAGIC,
  DIGEST_TABLE_VERSION,
  DIGEST_UNIT_MAX,
  DIGEST_UNIT_MIN,
  UNIT_DIGEST_BYTES,
  digestTableHeader,
} from '../format/digest-table';
import { errorSite } from '../format/record';

/** A digest table and how it is told to be the right one. */
export interface DigestTableFile {
  readonly path: string;
  /** SHA-256 of the file, lower-case hexadecimal, kept where whoever changes image and table cannot change it too. */
  readonly root: string;
}

/** A unit that is not what it was when its digest was recorded. */
export interface WrongUnit {
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** SHA-256 that was recorded, and that of what is there; hexadecimal. */
  readonly expected: string;
  readonly actual: string;
}

/** Longest table that is read (bytes): of an image of 128 GiB. */
const TABLE_BYTES_MAX = 256 * 1024 * 1024;

/** The digests of an image's units, all in memory: 2 MiB for an image of 1 GiB in units of 16 KiB. */
export class DigestTable {
  private constructor(
    /** Bytes. */
    readonly unitSize: number,
    /** Bytes of the image as it was recorded. */
    readonly imageLength: number,
    private readonly digests: Buffer,
  ) {}

  /**
   * Reads a table and compares it with its root. Rejects with ErofsDigestError where that differs, ErofsCorruptError or
   * ErofsUnsupportedError where the root is that of another kind of file, and with errors of system calls as they come.
   * @param image label of the image, for errors.
   */
  static async read({ path, root }: DigestTableFile, image: string): Promise<DigestTable> {
    await using file = await FileSource.open(path);
    const wrong = (problem: string, actual?: string): ErofsDigestError =>
      new ErofsDigestError({ image, field: 'digest table' }, `${path} ${problem}`, {
        expected: root,
        actual,
      });
    if (file.size > TABLE_BYTES_MAX) throw wrong(`has ${file.size} bytes, which no table of ours has`);
    const bytes = await file.read(0, file.size);
    // On libuv's pool: a table may have megabytes, and this may be the thread that serves /dev/fuse.
    const actual = Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes)).toString('hex');
    if (actual !== root) throw wrong(`has the SHA-256 ${actual}, recorded is ${root}`, actual);
    return DigestTable.#decode(bytes, path);
  }

  static #decode(bytes: Buffer, path: string): DigestTable {
    const place = { image: path, origin: 0 };
    const site = (field: keyof typeof digestTableHeader.fields): ErofsErrorSite => {
      const { offset, name } = digestTableHeader.fields[field];
      return errorSite(place, offset, name);
    };
    const header = digestTableHeader.read(bytes, 0, place);
    if (!header.magic.equals(DIGEST_TABLE_MAGIC)) {
      throw new ErofsCorruptError(site('magic'), 'this is no digest table');
    }
    if (header.version !== DIGEST_TABLE_VERSION) {
      throw new ErofsUnsupportedError(site('version'), `${header.version}`);
    }
    const { unitSize, imageLength, count } = header;
    if (!Number.isInteger(Math.log2(unitSize)) || unitSize < DIGEST_UNIT_MIN || unitSize > DIGEST_UNIT_MAX) {
      throw new ErofsCorruptError(site('unitSize'), `${unitSize}`);
    }
    const digests = bytes.subarray(digestTableHeader.size);
    if (count !== Math.ceil(imageLength / unitSize) || digests.length !== count * UNIT_DIGEST_BYTES) {
      const there = `of ${imageLength} bytes in units of ${unitSize}, and ${digests.length} bytes of digests`;
      throw new ErofsCorruptError(site('count'), `${count}, for an image ${there}`);
    }
    return new DigestTable(unitSize, imageLength, digests);
  }

  /** The wrong ones of the units from `offset` on (bytes, where a unit begins) whose digests `actual` holds. */
  wrongUnits(offset: number, actual: Buffer): WrongUnit[] {
    const start = (offset / this.unitSize) * UNIT_DIGEST_BYTES;
    const expected = this.digests.subarray(start, start + actual.length);
    if (expected.equals(actual)) return [];
    const wrong: WrongUnit[] = [];
    for (let at = 0; at < actual.length; at += UNIT_DIGEST_BYTES) {
      const end = at + UNIT_DIGEST_BYTES;
      const unit = { expected: expected.toString('hex', at, end), actual: actual.toString('hex', at, end) };
      if (unit.expected === unit.actual) continue;
      wrong.push({ offset: offset + (at / UNIT_DIGEST_BYTES) * this.unitSize, ...unit });
    }
    return wrong;
  }
}
