import { resolve } from 'node:path';
import { ErofsImage } from '../../../erofs/image';
import {
  ROOT_NODE,
  type DirectoryItem,
  type DirectorySink,
  type FileSystem,
  type NodeId,
} from '../../../fuse/file-system';
import type { Wishes } from '../../../fuse/negotiation';
import { MemoryFileSystem } from '../../../fuse/testing/memory-file-system';
import { CACHING } from '../../../fuse/testing/served-mount';
import { Attachment } from '../../../ishare/attachment';
import { ScanQueue } from '../../../ishare/scan-queue';
import { ClaimsRegistry } from '../../../ishare/claims-registry';
import { DedupFileSystem } from '../../../ishare/dedup-file-system';
import { DedupTable } from '../../../ishare/dedup-table';
import { IMAGES_WISHES, ISHARE_WISHES, SINGLE_IMAGE_WISHES } from '../../../ishare/fuse-wishes';
import { ImagesFileSystem } from '../../../ishare/images-file-system';
import { SingleImageFileSystem } from '../../../ishare/single-image-file-system';
import type { Known } from './requests';

const FIXTURES = resolve('test/fixtures/erofs');
const IMAGES = ['plain-fp.erofs', 'plain-fp-default.erofs', 'zstd.erofs', 'chunk-16k.erofs'];
const DOMAIN = { id: 1, name: 'team', token: 'a1b2', secret: Buffer.alloc(32, 7) };
const RESERVED_INODES = 100_000;

/** A file system to be asked, with what there is in it. */
export interface Subject extends AsyncDisposable {
  readonly fileSystem: FileSystem;
  readonly wishes: Wishes;
  readonly known: Known;
  /** Files that are open, where it knows. */
  readonly openFiles: () => number;
}

export const subjects: readonly (readonly [name: string, make: () => Promise<Subject>])[] = [
  ['in memory', memory],
  ['of one image', singleImage],
  ['of all images', () => attached(({ images }) => ({ fileSystem: images, wishes: IMAGES_WISHES }))],
  ['of shared contents', () => attached(({ dedup }) => ({ fileSystem: dedup, wishes: ISHARE_WISHES }))],
];

async function memory(): Promise<Subject> {
  const fileSystem = new MemoryFileSystem();
  const directory = fileSystem.directory(fileSystem.root, 'directory');
  const file = fileSystem.file(directory, 'file', Buffer.alloc(100_000, 'content'));
  file.xattrs.set('user.note', Buffer.from('a value'));
  fileSystem.symlink(directory, 'link', 'file');
  for (let index = 0; index < 300; index += 1) fileSystem.file(fileSystem.root, `small-${index}`, `${index}`);
  return subject(fileSystem, CACHING, () => Promise.resolve());
}

async function singleImage(): Promise<Subject> {
  const image = await ErofsImage.open(`${FIXTURES}/fragments-dedupe.erofs`);
  return subject(new SingleImageFileSystem(image), SINGLE_IMAGE_WISHES, () => image[Symbol.asyncDispose]());
}

interface Sharing {
  readonly images: ImagesFileSystem;
  readonly dedup: DedupFileSystem;
}

/** Some images in a domain, with the two file systems that the engine has. Files open without passthrough. */
async function attached(
  choose: (sharing: Sharing) => { fileSystem: FileSystem; wishes: Wishes },
): Promise<Subject> {
  const table = new DedupTable({ made: () => undefined, unused: () => undefined });
  const images = new ImagesFileSystem(table, unexpected);
  const claims = new ClaimsRegistry();
  for (const [index, name] of IMAGES.entries()) {
    const imagePath = `${FIXTURES}/${name}`;
    const layer = {
      attachmentId: index + 1,
      imagePath,
      label: name,
      domain: DOMAIN,
      trust: 'computed',
      verified: [],
      digests: undefined,
      nodeRange: index + 1,
      inoBase: (index + 1) * RESERVED_INODES,
      inoCount: RESERVED_INODES,
    } as const;
    const image = await ErofsImage.open(imagePath);
    const attachment = new Attachment(layer, image, table, claims.acquire(layer), {
      refused: () => undefined,
      ownInodeMade: () => undefined,
      ownInodeLeft: () => undefined,
    });
    images.add(attachment);
    attachment.startScan(new ScanQueue(), unexpected);
    await attachment.scanned;
  }
  const dedup = new DedupFileSystem(table, (_inode, _backing, error) => unexpected(error));
  const { fileSystem, wishes } = choose({ images, dedup });
  const close = async (): Promise<void> => {
    for (const attachment of images.attachments.values()) await attachment.image[Symbol.asyncDispose]();
  };
  return subject(fileSystem, wishes, close, () => images.openFiles);
}

function unexpected(error: unknown): never {
  throw error;
}

async function subject(
  fileSystem: FileSystem,
  wishes: Wishes,
  close: () => Promise<void>,
  openFiles = (): number => 0,
): Promise<Subject> {
  const known = await survey(fileSystem);
  return { fileSystem, wishes, known, openFiles, [Symbol.asyncDispose]: close };
}

class EverythingSink implements DirectorySink {
  readonly plus = true;
  readonly items: DirectoryItem[] = [];

  add(item: DirectoryItem): boolean {
    this.items.push(item);
    return true;
  }
}

const DT_DIR = 4;

/** What the root leads to. */
async function survey(fileSystem: FileSystem): Promise<Known> {
  const nodes = new Set<NodeId>([ROOT_NODE]);
  const names = new Map<string, Buffer>();
  const xattrs = new Map<string, Buffer>();
  const directories: NodeId[] = [ROOT_NODE];
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    const sink = new EverythingSink();
    await fileSystem.readDirectory(next, 0, sink);
    for (const { name, type, entry } of sink.items) {
      names.set(name.toString('latin1'), name);
      if (entry === undefined || nodes.has(entry.node)) continue;
      nodes.add(entry.node);
      if (type === DT_DIR) directories.push(entry.node);
      for (const xattr of await fileSystem.listXattrs(entry.node))
        xattrs.set(xattr.toString('latin1'), xattr);
    }
  }
  return { nodes: [...nodes], names: [...names.values()], xattrs: [...xattrs.values()] };
}
