import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { MemorySource } from '../../../../erofs/memory-source';
import { END, member } from '../../../../erofs/writer/tar/testing/craft-tar';
import type { Platform } from '../oci/platform';
import { TarStore } from '../oci/tar-store';

export const OCI = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  tar: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

export interface CraftedDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A layer as it is stored, with the digest of what it unpacks to. */
export interface CraftedLayer {
  readonly mediaType?: string;
  readonly blob: Buffer;
  readonly diffId: string;
}

/** A layer tar of these members. */
export function tarLayer(...members: readonly Buffer[]): CraftedLayer {
  const blob = Buffer.concat([...members, END]);
  return { mediaType: OCI.tar, blob, diffId: sha256(blob) };
}

export function gzipped({ blob, diffId }: CraftedLayer): CraftedLayer {
  return { mediaType: OCI.gzip, blob: gzipSync(blob), diffId };
}

export function sha256(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Files of an image layout, right or wrong, as a test makes them. */
export class CraftedLayout {
  readonly files = new Map<string, Buffer>();

  /** Adds a blob under its digest. */
  blob(content: Buffer | object, mediaType: string): CraftedDescriptor {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const digest = sha256(bytes);
    this.files.set(pathOf(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** Adds an image, and gives the descriptor of its manifest. */
  image(layers: readonly CraftedLayer[], platform: Platform = AMD64): CraftedDescriptor {
    const config = this.blob(configurationOf(layers, platform), OCI.config);
    const descriptors = layers.map(({ blob, mediaType }) => this.blob(blob, mediaType ?? OCI.tar));
    return this.blob({ schemaVersion: 2, config, layers: descriptors }, OCI.manifest);
  }

  index(...manifests: readonly CraftedDescriptor[]): this {
    this.files.set('index.json', Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })));
    return this;
  }

  get tar(): Buffer {
    const members = [...this.files].map(([name, content]) => member({ name }, content));
    return Buffer.concat([...members, END]);
  }

  store(label = 'archive.tar'): Promise<TarStore> {
    return TarStore.open(new MemorySource(this.tar, label));
  }

  writeTo(directory: string): void {
    for (const [name, content] of this.files) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
  }
}

export const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
export const ARM64: Platform = { os: 'linux', architecture: 'arm64' };

export function configurationOf(layers: readonly CraftedLayer[], platform = AMD64): object {
  return { ...platform, rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) } };
}

export function named(descriptor: CraftedDescriptor, name: string): CraftedDescriptor {
  return { ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } };
}

export function pathOf(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
