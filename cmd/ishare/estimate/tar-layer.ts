import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { ContentReader, ContentSource } from '../../../erofs/writer/content';
import { ByteStream } from '../../../erofs/writer/tar/byte-stream';
import type { TarEntry } from '../../../erofs/writer/tar/entry';
import { UnsupportedTarError } from '../../../erofs/writer/tar/errors';
import { LayerTree } from '../../../erofs/writer/tar/layer-tree';
import { TarReader } from '../../../erofs/writer/tar/tar-reader';
import type { DirectoryNode, TreeNode } from '../../../erofs/writer/tree';
import { BARE_NODE, type LayerDirectory, type LayerFile, type LayerNode } from './layer-files';

/** Bytes behind the end of the tar that are read at once, to no purpose. */
const REST_PIECE = 1024 * 1024;

/** Bytes of holes in one file that are hashed: a hole costs a tar nothing, whatever its size. */
const HASHED_HOLES_MAX = 64 * 1024 ** 3;

const ZEROS = Buffer.alloc(1024 * 1024);

const OPAQUE = Buffer.from('trusted.overlay.opaque');

/**
 * Reads a layer, its files hashed as they pass: memory grows with the number of entries alone. The stream is read to its
 * end. Throws TarErrors and DependentUpperError, as `readTarTree` does, and what the stream throws.
 *
 * @param pieces the tar, uncompressed.
 * @param label the tar for messages.
 */
export async function readTarLayer(pieces: AsyncIterator<Buffer>, label: string): Promise<LayerDirectory> {
  const stream = new ByteStream(pieces);
  const reader = new TarReader(label, stream);
  const tree = new LayerTree();
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const content = entry.kind === 'file' ? new HashedContent(await hashedFile(reader, entry)) : undefined;
    tree.add({ ...entry, content });
  }
  while ((await stream.some(REST_PIECE)) !== undefined);
  return layerDirectory(tree.finished());
}

/** A file of which nothing was kept but its digest. */
class HashedContent implements ContentSource {
  constructor(readonly file: LayerFile) {}

  get size(): number {
    return this.file.size;
  }

  open(): ContentReader {
    throw new Error('the content of this file was hashed, and not kept');
  }
}

async function hashedFile(reader: TarReader, entry: TarEntry & { kind: 'file' }): Promise<LayerFile> {
  const { size, stretches } = entry.file;
  const stored = stretches.reduce((sum, { length }) => sum + length, 0);
  if (size - stored > HASHED_HOLES_MAX) {
    throw new UnsupportedTarError(entry.place, `a file with ${size - stored} bytes of holes`);
  }
  const hash = createHash('sha256');
  let position = 0;
  // The stretches follow each other in the stream, in pieces that know nothing of them.
  let piece: Buffer = ZEROS.subarray(0, 0);
  for (const { start, length } of stretches) {
    await hashZeros(hash, start - position);
    for (let missing = length; missing > 0;) {
      if (piece.length === 0) piece = (await reader.content()) ?? missingContent();
      const part = piece.subarray(0, missing);
      hash.update(part);
      piece = piece.subarray(part.length);
      missing -= part.length;
    }
    position = start + length;
  }
  await hashZeros(hash, size - position);
  return { kind: 'file', size, digest: hash.digest('hex') };
}

async function hashZeros(hash: Hash, count: number): Promise<void> {
  for (let left = count; left > 0; left -= ZEROS.length) {
    hash.update(ZEROS.subarray(0, left));
    // Nothing here waits for a disk, so that a signal would not be heard.
    await setImmediate();
  }
}

/** The reader has compared the stretches with the size of the content. */
function missingContent(): never {
  throw new Error('the content of a tar entry is shorter than its stretches');
}

/** The tree without what takes no part. No recursion: names in a tar may be deeper than any stack. */
function layerDirectory(root: DirectoryNode): LayerDirectory {
  const top = new Map<string, LayerNode>();
  const pending = [{ node: root, entries: top }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const [name, child] of next.node.entries) {
      if (child.kind === 'directory') {
        const entries = new Map<string, LayerNode>();
        next.entries.set(name, { kind: 'directory', opaque: isOpaque(child), entries });
        pending.push({ node: child, entries });
      } else {
        next.entries.set(name, leaf(child));
      }
    }
  }
  return { kind: 'directory', opaque: isOpaque(root), entries: top };
}

function leaf(node: TreeNode): LayerNode {
  if (node.kind !== 'file' || node.content.size === 0) return BARE_NODE;
  // Hard links are one node with one content, so that they are one file here too.
  return node.content instanceof HashedContent ? node.content.file : BARE_NODE;
}

function isOpaque({ xattrs }: DirectoryNode): boolean {
  return xattrs.some(({ name }) => name.equals(OPAQUE));
}
