import type { Layer, LayerDirectory, LayerFile } from './layer-files';

/** A name that leads to a file. */
export interface VisibleFile {
  readonly layer: Layer;
  readonly file: LayerFile;
  /** Absolute, one character for each byte (latin1). */
  readonly path: string;
}

interface LowerDirectory {
  readonly layer: Layer;
  readonly directory: LayerDirectory;
}

/** A directory in all layers that show something of it, topmost first. */
interface MergedDirectory {
  readonly path: string;
  readonly parts: readonly LowerDirectory[];
}

/** What is known of a name while a directory is merged: layers further down may have more of a directory. */
interface MergedName {
  readonly parts: LowerDirectory[];
  closed: boolean;
}

/**
 * The files that overlayfs shows of some layers, by every name that they have; a hard link comes once for each.
 *
 * @param layers the lowest first.
 */
export function* visibleFiles(layers: readonly Layer[]): Generator<VisibleFile> {
  // Overlayfs merges the roots of all layers, also below one that is marked opaque (fs/overlayfs/super.c, ovl_get_root).
  const parts = layers.map((layer): LowerDirectory => ({ layer, directory: layer.root })).reverse();
  const pending: MergedDirectory[] = [{ path: '', parts }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield* merge(next, pending);
  }
}

/** Yields the files of one directory, and adds the directories in it to `pending`. */
function* merge({ path, parts }: MergedDirectory, pending: MergedDirectory[]): Generator<VisibleFile> {
  const names = new Map<string, MergedName>();
  for (const { layer, directory } of parts) {
    for (const [name, node] of directory.entries) {
      const above = names.get(name);
      if (above?.closed === true) continue;
      if (node.kind === 'directory') {
        const part = { layer, directory: node };
        if (above === undefined) names.set(name, { parts: [part], closed: node.opaque });
        else {
          above.parts.push(part);
          above.closed = node.opaque;
        }
      } else if (above === undefined) {
        names.set(name, { parts: [], closed: true });
        if (node.kind === 'file') yield { layer, file: node, path: `${path}/${name}` };
      } else {
        // Below a directory, anything else ends what is merged.
        above.closed = true;
      }
    }
  }
  for (const [name, merged] of names) {
    if (merged.parts.length > 0) pending.push({ path: `${path}/${name}`, parts: merged.parts });
  }
}
