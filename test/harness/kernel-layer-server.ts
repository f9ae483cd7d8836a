import { execFile } from 'node:child_process';
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { LayerAttachment, LayerServer } from '../../ishare/layer-server';
import { unmount } from '../../linux/mount';

const run = promisify(execFile);

/**
 * A LayerServer that has the kernel's own EROFS mount each image, so that snapshots are tested without the FUSE
 * engine, against the format's reference implementation.
 */
export class KernelLayerServer implements LayerServer, AsyncDisposable {
  readonly #directory: string;
  readonly #mounted = new Map<number, string>();
  /** Every call, as `attach ID` or `detach ID`. */
  readonly calls: string[] = [];
  /** Attachment ids that fail to attach. */
  readonly broken = new Set<number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  get mounted(): readonly number[] {
    return Array.from(this.#mounted.keys());
  }

  async attach(layer: LayerAttachment): Promise<string> {
    this.calls.push(`attach ${layer.attachmentId}`);
    if (this.broken.has(layer.attachmentId)) throw new Error(`layer ${layer.label} is broken`);
    const known = this.#mounted.get(layer.attachmentId);
    if (known !== undefined) return known;
    const target = join(this.#directory, layer.domain?.token ?? 'unshared', String(layer.attachmentId));
    await mkdir(target, { recursive: true });
    await run('mount', ['-t', 'erofs', '-o', 'loop,ro', layer.imagePath, target]);
    this.#mounted.set(layer.attachmentId, target);
    return target;
  }

  async detach(attachmentId: number): Promise<void> {
    this.calls.push(`detach ${attachmentId}`);
    const target = this.#mounted.get(attachmentId);
    if (target === undefined) return;
    this.#mounted.delete(attachmentId);
    unmount(target);
    await rmdir(target);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.mounted) await this.detach(id);
  }
}
