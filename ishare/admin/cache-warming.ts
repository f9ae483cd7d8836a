import type { Nid } from '../../erofs/brands';
import type { SkippedFile, WarmCacheRequest, WarmCacheResponse } from '../../proto/admin-messages';
import type { AttachedImage } from '../inventory';
import { ImageNode } from '../merged-tree/image-node';
import type { LayerNode } from '../merged-tree/layer-node';
import { MergedPathError } from '../merged-tree/merged-tree';
import { withPageCache } from '../worker/page-cache-thread';
import type { DedupFile } from '../worker/page-cache-task';
import { attachmentsInDomain } from './attachments';
import type { AdminContext } from './context';
import { checkedList, checkedPath } from './request-fields';
import { imageNamed } from './snapshot-choice';
import { SnapshotTree } from './snapshot-tree';
import type { SnapshotLayers } from './sources';

/** Read between two messages: so many bytes, or files. Each batch starts a thread, which must not be what takes long. */
const BATCH_BYTES = 64 * 1024 * 1024;
const BATCH_FILES = 4096;

/** Reads the shared files of an image. The pages are charged to this process, which is the one that reads. */
export async function warmCache(
  context: AdminContext,
  request: WarmCacheRequest,
  send: (response: WarmCacheResponse) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const { engine, sources, log } = context;
  const paths = checkedList(request.files).map(checkedPath);
  const chain = imageNamed(sources, request.image);
  const attached = attachmentsInDomain(chain, await engine.attachedImages(), request.domain);
  const shared = await SharedFiles.of(context, attached);
  const { files, skipped } =
    paths.length === 0 ? { files: shared.all(), skipped: [] } : await chosenFiles(chain, shared, paths);
  const progress = {
    files_done: 0,
    files: files.length,
    bytes_done: 0,
    bytes: bytesOf(files),
    cached_bytes: 0,
  };
  send({ ...progress, skipped });
  const { ishareMount } = await engine.state();
  for (const batch of batches(files)) {
    const cached = await withPageCache('warm', ishareMount, batch, signal);
    progress.files_done += batch.length;
    progress.bytes_done += bytesOf(batch);
    progress.cached_bytes += cached.reduce((sum, bytes) => sum + bytes, 0);
    send({ ...progress, skipped: [] });
  }
  const { name } = chain;
  log('info', 'read an image into the page cache', {
    image: name,
    files: files.length,
    bytes: progress.bytes,
  });
}

/** The dedup inodes of the files of some images. Of an image that is attached twice, a file has two. */
class SharedFiles {
  readonly #byInode = new Map<string, DedupFile[]>();
  /** By path: several files may have the same content. */
  readonly #all = new Map<string, DedupFile>();

  static async of({ engine }: AdminContext, attached: readonly AttachedImage[]): Promise<SharedFiles> {
    const files = new SharedFiles();
    for (const { attachmentId, imagePath } of attached)
      for (const { nid, path, size } of await engine.filesOf(attachmentId))
        files.#add(inodeKey(imagePath, nid), { path, size });
    return files;
  }

  #add(key: string, file: DedupFile): void {
    this.#all.set(file.path, file);
    const others = this.#byInode.get(key);
    if (others === undefined) this.#byInode.set(key, [file]);
    else others.push(file);
  }

  all(): DedupFile[] {
    return [...this.#all.values()];
  }

  of(imagePath: string, nid: Nid): readonly DedupFile[] {
    return this.#byInode.get(inodeKey(imagePath, nid)) ?? [];
  }
}

function inodeKey(imagePath: string, nid: Nid): string {
  return `${nid} ${imagePath}`;
}

/** The files at some paths of an image's tree. */
async function chosenFiles(
  chain: SnapshotLayers,
  shared: SharedFiles,
  paths: readonly string[],
): Promise<{ readonly files: DedupFile[]; readonly skipped: SkippedFile[] }> {
  await using tree = await SnapshotTree.open(chain);
  const files = new Map<string, DedupFile>();
  const skipped: SkippedFile[] = [];
  for (const path of paths) {
    const node = await nodeAt(tree, path);
    const found = node instanceof ImageNode ? shared.of(node.image.label, node.inode.nid) : [];
    for (const file of found) files.set(file.path, file);
    if (found.length === 0) skipped.push({ path, reason: reasonAgainst(node) });
  }
  return { files: [...files.values()], skipped };
}

async function nodeAt(tree: SnapshotTree, path: string): Promise<LayerNode | MergedPathError> {
  try {
    return (await tree.resolve(path)).node;
  } catch (error) {
    if (error instanceof MergedPathError) return error;
    throw error;
  }
}

function reasonAgainst(found: LayerNode | MergedPathError): string {
  if (found instanceof MergedPathError) return found.problem;
  return found.type === 'regular file' ? 'not shared (ishare explain tells why)' : `it is a ${found.type}`;
}

function bytesOf(files: readonly DedupFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

function* batches(files: readonly DedupFile[]): Generator<DedupFile[]> {
  let batch: DedupFile[] = [];
  let bytes = 0;
  for (const file of files) {
    batch.push(file);
    bytes += file.size;
    if (bytes < BATCH_BYTES && batch.length < BATCH_FILES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
