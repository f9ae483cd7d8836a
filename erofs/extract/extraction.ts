import { closeSync, constants, linkSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { makeDevice, makeNode } from '../../linux/device-node';
import { errorCode } from '../../linux/errno';
import type { Nid } from '../brands';
import { childPath, directoryEntries, isDotOrDotDot } from '../directory-entries';
import { ErofsCorruptError } from '../errors';
import { FILE_TYPE, S_IFMT, fileTypeOfMode } from '../format/dirent';
import { decodeDevice } from '../format/inode';
import type { ErofsImage, Inode } from '../image';
import { isDirectory } from '../inode';
import { applyAttributes, type Omission } from './attributes';
import { writeContent } from './file-content';

/** What went wrong or was left out, under which path of the image. */
export interface ExtractionReport {
  /** An entry that could not be made, or not wholly. */
  onProblem(path: Buffer, error: unknown): void;
  /** Something that this process has no right to make. The entry is there without it, or is left out (`device`). */
  onOmission(path: Buffer, omission: Omission): void;
  onEntry(done: number): void;
}

const SLASH = Buffer.from('/');

/** A directory that is being filled. It belongs to the process alone until its attributes are set, last of all. */
const FRESH_DIRECTORY_MODE = 0o700;
const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** A directory of the target that is open. */
interface OpenDirectory {
  readonly fd: number;
  readonly path: Buffer;
}

/**
 * Makes the tree of an image below a directory that is empty. Nothing outside it is touched, whatever the image holds:
 * each entry is made in a directory that this extraction has made itself and holds open (`/proc/self/fd/N/name`, where
 * other programs have openat(2)), and making never replaces and never follows what is there.
 */
export class Extraction {
  /** The first path of inodes with several names. */
  readonly #linked = new Map<Nid, Buffer>();
  readonly #entered = new Set<Nid>();
  #done = 0;

  constructor(
    private readonly image: ErofsImage,
    private readonly report: ExtractionReport,
    /** Whether owners are set, which takes root. */
    private readonly setsOwners: boolean,
  ) {}

  /** Extracts everything into the open directory `fd`, which the caller closes. */
  async run(fd: number): Promise<void> {
    const root = await this.image.inode(this.image.rootNid);
    await this.#fill(root, { fd, path: SLASH }, fd);
  }

  async #fill(directory: Inode, target: OpenDirectory, root: number): Promise<void> {
    this.#entered.add(directory.nid);
    try {
      for await (const { name, nid } of directoryEntries(this.image, directory)) {
        if (isDotOrDotDot(name)) continue;
        const path = childPath(target.path, name);
        try {
          await this.#make(await this.image.inode(nid), target, name, path, root);
        } catch (error) {
          this.report.onProblem(path, error);
        }
        this.report.onEntry(++this.#done);
      }
    } catch (error) {
      this.report.onProblem(target.path, error);
    }
    // What ends in a magic link would mean the link itself.
    await this.#finish(directory, Buffer.from(`${descriptorPath(target.fd)}/.`), target.path);
  }

  async #make(inode: Inode, parent: OpenDirectory, name: Buffer, path: Buffer, root: number): Promise<void> {
    const host = Buffer.concat([Buffer.from(descriptorPath(parent.fd)), SLASH, name]);
    if (isDirectory(inode)) {
      await this.#makeDirectory(inode, host, path, root);
      return;
    }
    const first = inode.nlink > 1 ? this.#linked.get(inode.nid) : undefined;
    if (first !== undefined) {
      linkSync(Buffer.concat([Buffer.from(descriptorPath(root)), first]), host);
      return;
    }
    if (!(await this.#makeNode(inode, host, path))) return;
    if (inode.nlink > 1) this.#linked.set(inode.nid, path);
    await this.#finish(inode, host, path);
  }

  async #makeDirectory(inode: Inode, host: Buffer, path: Buffer, root: number): Promise<void> {
    if (this.#entered.has(inode.nid)) {
      const site = { image: this.image.label, nid: inode.nid, field: 'dirent.nid' };
      throw new ErofsCorruptError(site, 'a second entry leads to this directory');
    }
    mkdirSync(host, FRESH_DIRECTORY_MODE);
    const fd = openSync(host, OPEN_DIRECTORY);
    try {
      await this.#fill(inode, { fd, path }, root);
    } finally {
      closeSync(fd);
    }
  }

  /** Makes what is no directory, without attributes. False where that takes rights that are not there. */
  async #makeNode(inode: Inode, host: Buffer, path: Buffer): Promise<boolean> {
    switch (fileTypeOfMode(inode.mode)) {
      case FILE_TYPE.REGULAR:
        await writeContent(this.image, inode, host);
        return true;
      case FILE_TYPE.SYMLINK:
        symlinkSync(await this.image.readlink(inode), host);
        return true;
      default: {
        const { major, minor } = decodeDevice(inode.rdev);
        try {
          makeNode(host, (inode.mode & S_IFMT) | 0o600, makeDevice(major, minor));
        } catch (error) {
          if (errorCode(error) !== 'EPERM') throw error;
          this.report.onOmission(path, 'device');
          return false;
        }
        return true;
      }
    }
  }

  async #finish(inode: Inode, host: Buffer, path: Buffer): Promise<void> {
    try {
      const xattrs = await this.image.xattrs(inode);
      applyAttributes(host, inode, xattrs, this.setsOwners, (omission) => {
        this.report.onOmission(path, omission);
      });
    } catch (error) {
      this.report.onProblem(path, error);
    }
  }
}

/** A path that leads through an open directory, wherever that may be by then. */
function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
