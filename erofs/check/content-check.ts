import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { ErofsUnsupportedError } from '../errors';
import { fingerprintDigest } from '../fingerprint-digest';
import { FINGERPRINT_DIGEST_BYTES, FINGERPRINT_LABEL } from '../format/xattr';
import type { DataExtent, ErofsImage, Inode } from '../image';
import { dataLayouts } from '../layout/select';
import { finding, findingOf, type Finding } from './finding';
import type { StructureRanges } from './structure-ranges';

/** Bytes that are read, and so decoded, at a time. */
const READ_BYTES = 1024 * 1024;

/** Bytes of holes in one file that are hashed: a hole costs an image nothing, whatever its size. */
const HASHED_HOLES_MAX = 64 * 1024 ** 3;

const ZEROS = Buffer.alloc(READ_BYTES);

/** Reads of small files wait for the disk more than they compute. */
const FILES_AT_A_TIME = 8;

/** What checking the contents has come to. */
export interface ContentCounts {
  /** Bytes of content that were read or decoded; holes do not count. */
  bytes: number;
  /** Fingerprints that were recomputed, right or wrong. */
  fingerprints: number;
}

/** Reads all content of regular files, and recomputes the fingerprints that the image claims. */
export class ContentCheck {
  readonly counts: ContentCounts = { bytes: 0, fingerprints: 0 };
  #done = 0;

  constructor(
    private readonly image: ErofsImage,
    private readonly structures: StructureRanges,
    /** Bytes that are done, holes included. */
    private readonly onProgress: (done: number) => void,
  ) {}

  /** Checks files, several at a time. Findings come in the order of the files. */
  async *checkAll(
    files: readonly Inode[],
    pathOf: (inode: Inode) => Buffer | undefined,
  ): AsyncGenerator<Finding> {
    const running: Promise<Finding[]>[] = [];
    for (const inode of files) {
      const found = collect(this.#check(inode, pathOf(inode)));
      // It is waited for in its turn.
      found.catch(() => undefined);
      running.push(found);
      if (running.length >= FILES_AT_A_TIME) yield* (await running.shift()) ?? [];
    }
    for (const found of running) yield* await found;
  }

  /** Checks one file. `path` is undefined for files that no name leads to. */
  async *#check(inode: Inode, path: Buffer | undefined): AsyncGenerator<Finding> {
    const claim = yield* this.#claim(inode, path);
    const run = new FileRun(claim === undefined ? undefined : createHash('sha256'));
    try {
      for await (const extent of this.image.extents(inode)) {
        yield* this.structures.checkExtent(inode, extent, path);
        if (run.batch.length > 0 && (extent.kind === 'hole' || run.batchBytes >= READ_BYTES)) {
          yield* this.#readBatch(inode, run, path);
        }
        if (extent.kind === 'hole') {
          await run.skip(extent);
          this.#advance(extent.length);
        } else {
          run.append(extent);
        }
      }
      if (run.batch.length > 0) yield* this.#readBatch(inode, run, path);
      await dataLayouts[inode.layout].checkIndex?.(this.image.sources, inode);
    } catch (error) {
      yield findingOf(error, path);
      run.sound = false;
    }
    if (claim !== undefined) yield* this.#compare(inode, run, claim, path);
  }

  /** The digest that the image claims, where it has the right form. */
  async *#claim(inode: Inode, path: Buffer | undefined): AsyncGenerator<Finding, Buffer | undefined> {
    try {
      const value = await this.image.fingerprint(inode);
      if (value === undefined) return undefined;
      const digest = fingerprintDigest(value);
      if (digest !== undefined) return digest;
      const form = `"${FINGERPRINT_LABEL}" and ${FINGERPRINT_DIGEST_BYTES} bytes`;
      const problem = `a value of ${value.length} bytes, which is not ${form}`;
      yield finding(this.#site(inode, 'fingerprint'), problem, path);
    } catch (error) {
      // The xattr check tells what is wrong with the attributes themselves.
      findingOf(error);
    }
    return undefined;
  }

  /** Extents that follow one another, together; where that fails, one by one, so that each bad one is told. */
  async *#readBatch(inode: Inode, run: FileRun, path: Buffer | undefined): AsyncGenerator<Finding> {
    const extents = run.takeBatch();
    const [first] = extents;
    const last = extents.at(-1);
    if (first === undefined || last === undefined) return;
    try {
      await this.#read(inode, first.start, last.start + last.length, run);
      return;
    } catch (error) {
      findingOf(error);
    }
    run.sound = false;
    for (const { start, length } of extents) {
      try {
        await this.#read(inode, start, start + length, run);
      } catch (error) {
        yield findingOf(error, path);
      }
    }
  }

  async #read(inode: Inode, start: number, end: number, run: FileRun): Promise<void> {
    for (let at = start; at < end; at += READ_BYTES) {
      const bytes = await this.image.read(inode, at, Math.min(READ_BYTES, end - at));
      this.counts.bytes += bytes.length;
      run.hash?.update(bytes);
      this.#advance(bytes.length);
    }
  }

  #advance(bytes: number): void {
    this.#done += bytes;
    this.onProgress(this.#done);
  }

  *#compare(inode: Inode, run: FileRun, claim: Buffer, path: Buffer | undefined): Generator<Finding> {
    if (!run.sound || run.hash === undefined) return;
    const site = this.#site(inode, 'fingerprint');
    if (run.holeBytes > HASHED_HOLES_MAX) {
      const problem = `not recomputed, for the file has ${run.holeBytes} bytes of holes`;
      yield { error: new ErofsUnsupportedError(site, problem), path };
      return;
    }
    this.counts.fingerprints++;
    const digest = run.hash.digest();
    if (digest.equals(claim)) return;
    yield finding(site, `claims ${claim.toString('hex')}, the content has ${digest.toString('hex')}`, path);
  }

  #site(inode: Inode, field: string): { image: string; nid: Inode['nid']; field: string } {
    return { image: this.image.label, nid: inode.nid, field };
  }
}

async function collect(findings: AsyncGenerator<Finding>): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const each of findings) found.push(each);
  return found;
}

/** How far one file has been read. */
class FileRun {
  batch: DataExtent[] = [];
  batchBytes = 0;
  holeBytes = 0;
  /** All so far could be read. */
  sound = true;

  constructor(readonly hash: Hash | undefined) {}

  append(extent: DataExtent): void {
    this.batch.push(extent);
    this.batchBytes += extent.length;
  }

  takeBatch(): DataExtent[] {
    const taken = this.batch;
    this.batch = [];
    this.batchBytes = 0;
    return taken;
  }

  async skip({ length }: DataExtent): Promise<void> {
    this.holeBytes += length;
    if (this.hash === undefined || this.holeBytes > HASHED_HOLES_MAX) return;
    for (let left = length; left > 0; left -= ZEROS.length) {
      this.hash.update(left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS);
      // Nothing here waits for a disk, so that a signal would not be heard.
      await setImmediate();
    }
  }
}
