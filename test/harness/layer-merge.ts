import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WrittenImage } from '../../scripts/oci/oci-archive';
import { runCommand } from '../../scripts/process/command';
import { describeTree, type TreeEntry } from './tree-comparison';

type Tree = Map<string, TreeEntry>;

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const TIME_LIMIT = 60_000;

/**
 * The tree that an image's layers make, without a snapshotter: GNU tar unpacks each layer into a directory of its own,
 * and the descriptions are laid over each other by the rules of the OCI image specification ("Image Layer Filesystem
 * Changeset"). `directory` is the caller's, for the unpacked files.
 */
export async function mergedLayers(image: WrittenImage, directory: string): Promise<Tree> {
  const layout = join(directory, 'layout');
  await mkdir(layout);
  await runCommand('tar', ['-xf', image.archive, '-C', layout], { timeLimit: TIME_LIMIT });
  let result: Tree = new Map();
  for (const [index, { digest }] of image.layers.entries()) {
    const root = join(directory, `unpacked-${index}`);
    await mkdir(root);
    const blob = join(layout, 'blobs', digest.replace(':', '/'));
    const keep = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '--same-owner', '--same-permissions'];
    // Else files that come later than their directory change its time.
    keep.push('--delay-directory-restore');
    await runCommand('tar', ['-x', ...keep, ...(await compression(blob)), '-f', blob, '-C', root], {
      timeLimit: TIME_LIMIT,
    });
    result = laidOver(result, withLinksOf(index, await describeTree(root)));
  }
  return withFirstLinks(result);
}

async function compression(blob: string): Promise<string[]> {
  const [first, second] = await readFile(blob);
  return first === 0x1f && second === 0x8b ? ['--gzip'] : [];
}

/** Marks hard links with the layer that they are in: the same name in two layers is two files. */
function withLinksOf(layer: number, tree: Tree): Tree {
  return new Map(
    [...tree].map(([path, entry]) =>
      entry.type === 'directory'
        ? [path, entry]
        : [path, { ...entry, linkedWith: `${layer}:${entry.linkedWith ?? path}` }],
    ),
  );
}

/** Turns the marks into what describeTree() says: the first path of the same file that is still there. */
function withFirstLinks(tree: Tree): Tree {
  const first = new Map<string, string>();
  return new Map(
    [...tree]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, { linkedWith, ...entry }]) => {
        if (linkedWith === undefined) return [path, entry];
        const found = first.get(linkedWith);
        if (found === undefined) first.set(linkedWith, path);
        return [path, found === undefined ? entry : { ...entry, linkedWith: found }];
      }),
  );
}

function laidOver(lower: Tree, upper: Tree): Tree {
  const result = new Map(lower);
  // Whiteouts hide what is below their layer, never what is in it.
  for (const path of upper.keys()) {
    const [parent, name] = split(path);
    if (name === OPAQUE) removeBelow(result, parent);
    else if (name.startsWith(WHITEOUT)) remove(result, join(parent, name.slice(WHITEOUT.length)));
  }
  for (const [path, entry] of upper) {
    if (split(path)[1].startsWith(WHITEOUT)) continue;
    if (entry.type !== 'directory') removeBelow(result, path);
    result.set(path, entry);
  }
  return result;
}

function split(path: string): [parent: string, name: string] {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function remove(tree: Tree, path: string): void {
  tree.delete(path);
  removeBelow(tree, path);
}

function removeBelow(tree: Tree, path: string): void {
  for (const name of tree.keys()) if (name.startsWith(`${path}/`)) tree.delete(name);
}
