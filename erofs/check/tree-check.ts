import { toNid, type Nid } from '../brands';
import { DirectoryBlock } from '../directory-block';
import { FILE_TYPE, fileTypeOfMode } from '../format/dirent';
import type { ErofsImage, Inode } from '../image';
import { isDirectory, isRegularFile, isSymlink } from '../inode';
import { dataLayouts } from '../layout/select';
import type { LongPrefix } from '../xattr-prefixes';
import { finding, findingOf, type Finding } from './finding';
import { KnownInodes, type KnownInode } from './known-inodes';
import type { StructureRanges } from './structure-ranges';
import { NANOSECONDS_PER_SECOND } from './superblock-check';
import { checkXattrs } from './xattr-check';

/** Findings in one directory after which the rest of it is left alone: a size is a mere claim. */
const FINDINGS_PER_DIRECTORY = 100;

const DOT = Buffer.from('.');
const DOT_DOT = Buffer.from('..');

/** An entry as the directory has it. `name` is a view. */
interface Entry {
  readonly name: Buffer;
  readonly nid: Nid;
  readonly fileType: number;
}

/** Walks the tree: every directory, and every inode that a name leads to, each once. */
export class TreeCheck {
  readonly known = new KnownInodes();
  readonly #directories: Nid[] = [];

  constructor(
    private readonly image: ErofsImage,
    private readonly structures: StructureRanges,
    private readonly prefixes: readonly LongPrefix[],
    private readonly onInode: (done: number) => void,
  ) {}

  async *check(): AsyncGenerator<Finding> {
    const { rootNid } = this.image;
    yield* this.#meet(rootNid, rootNid, Buffer.alloc(0));
    for (let nid = this.#directories.pop(); nid !== undefined; nid = this.#directories.pop()) {
      yield* this.#checkDirectory(nid);
    }
    for (const [nid, known] of this.known.entries()) yield* this.#checkLinkCount(nid, known);
  }

  /** An inode that a name leads to for the first time. */
  async *#meet(nid: Nid, parent: Nid, name: Buffer): AsyncGenerator<Finding, KnownInode> {
    let inode: Inode | undefined;
    try {
      inode = await this.image.inode(nid);
    } catch (error) {
      yield findingOf(error, this.known.pathIn(parent, name));
    }
    const known = this.known.add(nid, parent, name, inode);
    this.onInode(this.known.size);
    if (inode === undefined) return known;
    this.structures.add(inode);
    const path = this.known.path(nid);
    yield* this.#checkInode(inode, path);
    if (isDirectory(inode)) this.#directories.push(nid);
    return known;
  }

  async *#checkInode(inode: Inode, path: Buffer): AsyncGenerator<Finding> {
    const { nanoseconds } = inode.mtime;
    // Compact inodes have those of the superblock, which has been checked.
    if (nanoseconds >= NANOSECONDS_PER_SECOND && nanoseconds !== this.image.superblock.fixedNanoseconds) {
      const site = { image: this.image.label, nid: inode.nid, field: 'inode.mtimeNanoseconds' };
      yield finding(site, `${nanoseconds} is a second or more`, path);
    }
    yield* checkXattrs(this.image, inode, this.prefixes, path);
    if (!isSymlink(inode)) return;
    try {
      await this.image.readlink(inode);
    } catch (error) {
      yield findingOf(error, path);
    }
  }

  async *#checkDirectory(nid: Nid): AsyncGenerator<Finding> {
    let left = FINDINGS_PER_DIRECTORY;
    for await (const found of this.#findingsIn(nid)) {
      yield found;
      if (--left > 0) continue;
      const site = { image: this.image.label, nid, field: 'dirent' };
      yield finding(
        site,
        `${FINDINGS_PER_DIRECTORY} findings: the rest of this directory is not checked`,
        this.known.path(nid),
      );
      return;
    }
  }

  async *#findingsIn(nid: Nid): AsyncGenerator<Finding> {
    const directory = this.known.get(nid);
    if (directory?.inode === undefined) return;
    const path = this.known.path(nid);
    const { parent } = directory;
    const site = { image: this.image.label, nid, field: 'dirent name' };
    let before: Buffer | undefined;
    let dots = 0;
    let dotDots = 0;
    for await (const block of this.#blocks(directory.inode)) {
      if (!(block instanceof DirectoryBlock)) {
        yield { ...block, path };
        continue;
      }
      for (const entry of entriesOf(block)) {
        if ('error' in entry) {
          yield { ...entry, path };
          continue;
        }
        const { name } = entry;
        if (before !== undefined && before.compare(name) >= 0) {
          const order = before.equals(name) ? 'is there twice' : `comes after ${quoted(before)}`;
          yield finding(site, `${quoted(name)} ${order}`, path);
        }
        before = Buffer.from(name);
        if (name.equals(DOT)) {
          dots++;
          yield* this.#checkDot(entry, nid, nid, path);
        } else if (name.equals(DOT_DOT)) {
          dotDots++;
          yield* this.#checkDot(entry, nid, parent, path);
        } else {
          yield* this.#checkChild(entry, nid, directory);
        }
      }
    }
    const wanted = directory.inode.dotOmitted ? 0 : 1;
    if (dots !== wanted) yield finding(site, `"." is there ${dots} times, not ${wanted}`, path);
    if (dotDots !== 1) yield finding(site, `".." is there ${dotDots} times, not once`, path);
  }

  *#checkDot({ name, nid, fileType }: Entry, directory: Nid, wanted: Nid, path: Buffer): Generator<Finding> {
    if (nid === wanted && fileType === FILE_TYPE.DIRECTORY) return;
    const site = {
      image: this.image.label,
      nid: directory,
      field: nid === wanted ? 'dirent.fileType' : 'dirent.nid',
    };
    const problem = nid === wanted ? `type ${fileType}` : `inode ${nid}, not ${wanted}`;
    yield finding(site, `${quoted(name)} has ${problem}`, path);
  }

  async *#checkChild(entry: Entry, directory: Nid, parent: KnownInode): AsyncGenerator<Finding> {
    const { name, nid, fileType } = entry;
    const met = this.known.get(nid);
    if (met !== undefined) met.names++;
    const child = met ?? (yield* this.#meet(nid, directory, name));
    if (child.inode === undefined) return;
    const site = { image: this.image.label, nid: directory };
    const path = this.known.pathIn(directory, name);
    const type = fileTypeOfMode(child.inode.mode);
    if (fileType !== type) {
      const problem = `${quoted(name)} has type ${fileType}, its inode ${nid} is of type ${type}`;
      yield finding({ ...site, field: 'dirent.fileType' }, problem, path);
    }
    if (!isDirectory(child.inode)) return;
    parent.subdirectories++;
    if (met === undefined) return;
    const first = quoted(this.known.path(nid));
    yield finding({ ...site, field: 'dirent.nid' }, `${quoted(name)} leads to the directory ${first}`, path);
  }

  /** mkfs gives a directory 2 links and one for each directory in it, or 1 where that is more than fits. */
  *#checkLinkCount(nid: Nid, { inode, names, subdirectories }: KnownInode): Generator<Finding> {
    if (inode === undefined) return;
    const wanted = isDirectory(inode) ? 2 + subdirectories : names;
    if (inode.nlink === wanted || (isDirectory(inode) && inode.nlink === 1)) return;
    const site = { image: this.image.label, nid, field: 'inode.nlink' };
    yield finding(site, `${inode.nlink}, but ${wanted} links are there`, this.known.path(nid));
  }

  /** The blocks of a directory; what cannot be read comes as a finding. */
  async *#blocks(directory: Inode): AsyncGenerator<DirectoryBlock | Finding> {
    const { blockSize } = this.image.superblock;
    const { sources, label } = this.image;
    for (let offset = 0; offset < directory.size; offset += blockSize) {
      const length = Math.min(blockSize, directory.size - offset);
      try {
        const layout = dataLayouts[directory.layout];
        const bytes = await layout.read(sources, directory, offset, length, 'metadata');
        yield new DirectoryBlock(bytes, { image: label, nid: directory.nid, origin: offset, inData: true });
      } catch (error) {
        yield findingOf(error);
      }
    }
  }
}

function* entriesOf(block: DirectoryBlock): Generator<Entry | Finding> {
  for (let index = 0; index < block.count; index++) {
    try {
      yield { name: block.name(index), nid: toNid(block.nid(index)), fileType: block.fileType(index) };
    } catch (error) {
      yield findingOf(error);
    }
  }
}

function quoted(name: Buffer): string {
  return JSON.stringify(name.toString('utf8'));
}

/** Whether the content check reads an inode. */
export function hasContent(known: KnownInode): known is KnownInode & { readonly inode: Inode } {
  return known.inode !== undefined && isRegularFile(known.inode);
}
