import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { LayerBlob } from '../../erofs/build';
import { END, member } from '../../erofs/writer/tar/testing/craft-tar';
import type { Mount } from '../../proto/snapshots';
import type { UnpackRequest } from '../../snapshotter/layer-unpacking';

/** A layer's blob in a file. */
export interface LayerFile {
  readonly path: string;
  readonly blob: LayerBlob;
}

/** Writes a layer of one file, `content`, whose first entry is replaced by a second one. */
export function writeLayerFile(path: string, content: string): LayerFile {
  const bytes = Buffer.concat([
    member({ name: 'content' }, Buffer.alloc(content.length + 5000, 'replaced')),
    member({ name: 'content' }, content),
    END,
  ]);
  writeFileSync(path, bytes);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { path, blob: { digest, size: bytes.length } };
}

/** What Apply asks for, of a layer in a file. */
export function unpackRequest({ path, blob }: LayerFile, mounts: readonly Mount[]): UnpackRequest {
  const open = { path, failure: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  return { mounts, blob, open: () => Promise.resolve(open) };
}
