import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { connectDiff, type Descriptor, type DiffClient } from '../../proto/diff';
import type { Mount } from '../../proto/snapshots';

const DEADLINE_MS = 60_000;

/** What names a layer's blob. */
export type LayerDescriptor = Pick<Descriptor, 'media_type' | 'digest' | 'size'>;

/** A client of the diff service with promises, as containerd's diff proxy is one. Disposing disconnects. */
export class DiffConnection implements Disposable {
  readonly #client: DiffClient;

  constructor(
    socket: string,
    private readonly namespace = 'test',
  ) {
    this.#client = connectDiff(`unix:${socket}`, credentials.createInsecure());
  }

  /** Resolves to what was applied. The call is cancelled when the signal aborts. */
  apply(diff: LayerDescriptor, mounts: Mount[], signal?: AbortSignal): Promise<LayerDescriptor> {
    const metadata = new Metadata();
    metadata.set('containerd-namespace', this.namespace);
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + DEADLINE_MS };
      const call = this.#client.Apply({ diff, mounts }, metadata, options, (error, response) => {
        if (error !== null) reject(error);
        else resolve(described(response!.applied));
      });
      signal?.addEventListener('abort', () => call.cancel(), { once: true });
    });
  }

  /** The failure of Diff. */
  diff(): Promise<ServiceError | null> {
    const options = { deadline: Date.now() + DEADLINE_MS };
    return new Promise((resolve) => this.#client.Diff({}, new Metadata(), options, resolve));
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function described({ media_type = '', digest = '', size = -1 }: Partial<LayerDescriptor>): LayerDescriptor {
  return { media_type, digest, size };
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Puts a blob into a content store, as containerd keeps it, and gives the descriptor of a layer that it is. */
export function storeBlob(
  contentRoot: string,
  bytes: Buffer,
  mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip',
): LayerDescriptor {
  const digest = sha256(bytes);
  const directory = join(contentRoot, 'blobs', 'sha256');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, digest.slice('sha256:'.length)), bytes);
  return { media_type: mediaType, digest, size: bytes.length };
}
