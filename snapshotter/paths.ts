import { join } from 'node:path';
import { InvalidArgumentError } from './errors';
import type { SnapshotId } from './store/snapshot-table';

/** Where things lie under the root directory. */
export class Paths {
  constructor(readonly root: string) {
    assertOverlaySafe(root);
  }

  get database(): string {
    return join(this.root, 'metadata.db');
  }

  /** Parent of the snapshots' directories. */
  get snapshots(): string {
    return join(this.root, 'snapshots');
  }

  /** Parent of the committed images. */
  get images(): string {
    return join(this.root, 'images');
  }

  /** Whatever lies here is to be deleted. On the same file system as the rest, so that things are moved here whole. */
  get trash(): string {
    return join(this.root, 'trash');
  }

  snapshot(id: SnapshotId): string {
    return join(this.snapshots, String(id));
  }

  /** What containers write to: overlayfs's upper directory, or the whole tree of a snapshot without a parent. */
  upper(id: SnapshotId): string {
    return join(this.snapshot(id), 'fs');
  }

  /** overlayfs's own work directory. */
  work(id: SnapshotId): string {
    return join(this.snapshot(id), 'work');
  }

  /** An image that is the layer already, in place of files in `upper`: where containerd's erofs differ writes it. */
  readyMadeImage(id: SnapshotId): string {
    return join(this.snapshot(id), 'layer.erofs');
  }

  /** Tells containerd's erofs differ that it may write the ready-made image. */
  readyMadeMark(id: SnapshotId): string {
    return join(this.snapshot(id), '.erofslayer');
  }

  /** The image of a layer that was unpacked straight into it, until the snapshot is committed. */
  unpackedImage(id: SnapshotId): string {
    return join(this.snapshot(id), 'unpacked.erofs');
  }

  unpackedDigests(id: SnapshotId): string {
    return join(this.snapshot(id), 'unpacked.digests');
  }

  /** What is known of the unpacked image; it is there only once the image is whole. */
  unpackedRecord(id: SnapshotId): string {
    return join(this.snapshot(id), 'unpacked.json');
  }

  image(id: SnapshotId): string {
    return join(this.images, `${id}.erofs`);
  }

  /** Digests of the image's blocks. */
  digests(id: SnapshotId): string {
    return join(this.images, `${id}.digests`);
  }

  /** The image of the merged metadata of a committed snapshot and all below it. */
  mergedImage(id: SnapshotId): string {
    return join(this.images, `${id}.merged.erofs`);
  }

  /** Digests of that image's blocks. */
  mergedDigests(id: SnapshotId): string {
    return join(this.images, `${id}.merged.digests`);
  }

  /** The same image, built again to repair that one, and its digests. No row owns them: they go when that is done. */
  rebuiltImage(id: SnapshotId): string {
    return join(this.images, `${id}.rebuilt.erofs`);
  }

  rebuiltDigests(id: SnapshotId): string {
    return join(this.images, `${id}.rebuilt.digests`);
  }

  /** All files that a committed snapshot may have. */
  committedFiles(id: SnapshotId): string[] {
    return [this.image(id), this.digests(id), this.mergedImage(id), this.mergedDigests(id)];
  }
}

/** A file among the committed images. */
export interface ImageFileName {
  readonly id: SnapshotId;
  /** It belongs to the merged metadata of the snapshot and all below it. */
  readonly merged: boolean;
  readonly kind: 'erofs' | 'digests';
}

/** What a file among the committed images is, by its name; undefined: none of theirs. */
export function parseImageFileName(name: string): ImageFileName | undefined {
  const [, id, merged, kind] = /^(\d+)(\.merged)?\.(erofs|digests)$/.exec(name) ?? [];
  if (id === undefined || (kind !== 'erofs' && kind !== 'digests')) return undefined;
  return { id: Number(id) as SnapshotId, merged: merged !== undefined, kind };
}

/**
 * Throws InvalidArgumentError for a path that cannot stand in overlayfs's options: `:` separates lower layers, `,`
 * options, `\` escapes, and containerd passes them on unescaped.
 */
export function assertOverlaySafe(path: string): void {
  const bad = /[:,\\]/.exec(path)?.[0];
  if (bad !== undefined)
    throw new InvalidArgumentError(`${path}: overlayfs cannot mount paths with "${bad}"`);
  if (!path.startsWith('/')) throw new InvalidArgumentError(`${path}: must be an absolute path`);
}
