import { createHash } from 'node:crypto';
import { BARE_NODE, type Layer, type LayerDirectory, type LayerFile, type LayerNode } from '../layer-files';

/** A file of this content. */
export function file(content: string): LayerFile {
  return sized(Buffer.byteLength(content), content);
}

/** A file of so many bytes; `content` tells its content from others. */
export function sized(size: number, content: string): LayerFile {
  return { kind: 'file', size, digest: createHash('sha256').update(content).digest('hex') };
}

export function directory(entries: Readonly<Record<string, LayerNode>>, opaque = false): LayerDirectory {
  return { kind: 'directory', opaque, entries: new Map(Object.entries(entries)) };
}

/** What hides and has no content. */
export const whiteout = BARE_NODE;

export function layer(entries: Readonly<Record<string, LayerNode>>): Layer {
  return { root: directory(entries) };
}
