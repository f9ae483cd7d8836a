import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';
import { TemporaryDirectory } from '../process/temporary-directory';
import { tarOfLayer, type LayerSource } from './layer-source';

/** Media types and file names of the OCI image specification, 1.1. */
const MEDIA_TYPE = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: {
    none: 'application/vnd.oci.image.layer.v1.tar',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    /** containerd 2.1 knows it by its end. */
    erofs: 'application/vnd.oci.image.layer.v1.erofs',
  },
} as const;

/** The part of an image's configuration that this project sets. */
export interface ImageConfig {
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  /** `NAME=value` each. */
  readonly environment?: readonly string[];
  readonly workingDirectory?: string;
  readonly user?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface OciImage {
  /** Full reference, such as `example.org/library/redis:7.0.15`: containerd stores the image under it. */
  readonly reference: string;
  /** The lowest first. */
  readonly layers: readonly LayerSource[];
  readonly config: ImageConfig;
  /** Default `gzip`. */
  readonly compression?: 'gzip' | 'none';
  /** zlib's 1 to 9; default 6. */
  readonly compressionLevel?: number;
  /** The layers are EROFS images, given as they are; compression must be `none`. */
  readonly erofsLayers?: boolean;
}

/** A content-addressed blob of the image. `digest` is `sha256:` and 64 hexadecimal digits; `size` in bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface WrittenLayer extends Descriptor {
  /** Digest of the uncompressed tar. */
  readonly diffId: string;
  /** Bytes of the uncompressed tar. */
  readonly uncompressedSize: number;
}

export interface WrittenImage {
  readonly archive: string;
  readonly reference: string;
  readonly manifest: Descriptor;
  readonly layers: readonly WrittenLayer[];
}

/** Names of the architectures as images use them (Go's GOARCH), by Node's process.arch. */
const ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

/**
 * Writes an image as a tar of the OCI image layout, ready for `ctr images import`. The same sources give the same
 * bytes. Layers are streamed through files beside the archive, so memory does not grow with their size.
 */
export async function writeOciArchive(
  image: OciImage,
  archive: string,
  signal?: AbortSignal,
): Promise<WrittenImage> {
  await using staging = await TemporaryDirectory.create('ishare-oci');
  const layers: { readonly layer: WrittenLayer; readonly file: string }[] = [];
  for (const [index, source] of image.layers.entries()) {
    const file = join(staging.path, `layer-${index}`);
    layers.push({ layer: await writeLayer(source, file, image, signal), file });
  }
  const written = layers.map(({ layer }) => layer);
  const config = jsonBlob(MEDIA_TYPE.config, {
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config: {
      ...(image.config.user === undefined ? {} : { User: image.config.user }),
      Env: image.config.environment ?? ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ...(image.config.entrypoint === undefined ? {} : { Entrypoint: image.config.entrypoint }),
      ...(image.config.command === undefined ? {} : { Cmd: image.config.command }),
      WorkingDir: image.config.workingDirectory ?? '/',
      ...(image.config.labels === undefined ? {} : { Labels: image.config.labels }),
    },
    rootfs: { type: 'layers', diff_ids: written.map((layer) => layer.diffId) },
    history: written.map((_, index) => ({ created_by: `layer ${index}` })),
  });
  const manifest = jsonBlob(MEDIA_TYPE.manifest, {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: config.descriptor,
    layers: written.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  });
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.index,
      manifests: [
        {
          ...manifest.descriptor,
          annotations: {
            'io.containerd.image.name': image.reference,
            'org.opencontainers.image.ref.name': tagOf(image.reference),
          },
        },
      ],
    }),
  );

  const tar = pack();
  const writing = pipeline(tar as unknown as NodeJS.ReadableStream, createWriteStream(archive), { signal });
  const filling = (async () => {
    await addFile(tar, 'oci-layout', Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
    await addFile(tar, 'index.json', index);
    // Two layers may be the same bytes, and a tar must not hold one name twice.
    const seen = new Set<string>();
    for (const { layer, file } of layers) {
      if (seen.has(layer.digest)) continue;
      seen.add(layer.digest);
      const sink = tar.entry({ ...ENTRY, name: blobPath(layer.digest), size: layer.size });
      await pipeline(createReadStream(file), sink as unknown as NodeJS.WritableStream, { signal });
    }
    for (const blob of [config, manifest]) await addFile(tar, blobPath(blob.descriptor.digest), blob.bytes);
    tar.finalize();
  })();
  filling.catch((error: unknown) => {
    tar.destroy(error as Error);
  });
  await Promise.all([writing, filling]);
  return { archive, reference: image.reference, manifest: manifest.descriptor, layers: written };
}

const ENTRY = { mode: 0o644, mtime: new Date(0) } as const;

function addFile(tar: Pack, name: string, content: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry({ ...ENTRY, name }, content, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

async function writeLayer(
  source: LayerSource,
  file: string,
  image: OciImage,
  signal: AbortSignal | undefined,
): Promise<WrittenLayer> {
  const compression = image.compression ?? 'gzip';
  const plain = new Meter();
  const stored = new Meter();
  const compress = compression === 'gzip' ? [createGzip({ level: image.compressionLevel ?? 6 })] : [];
  await pipeline([tarOfLayer(source), plain, ...compress, stored, createWriteStream(file)], { signal });
  const { size } = await stat(file);
  return {
    mediaType: MEDIA_TYPE.layer[image.erofsLayers === true ? 'erofs' : compression],
    digest: stored.digest(),
    size,
    diffId: plain.digest(),
    uncompressedSize: plain.length,
  };
}

/** Passes bytes on and keeps their number and SHA-256. */
class Meter extends Transform {
  readonly #hash = createHash('sha256');
  length = 0;

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error: null, chunk: Buffer) => void,
  ): void {
    this.#hash.update(chunk);
    this.length += chunk.length;
    done(null, chunk);
  }

  /** Call it once, after the last byte. */
  digest(): string {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}

function jsonBlob(
  mediaType: string,
  value: unknown,
): { readonly bytes: Buffer; readonly descriptor: Descriptor } {
  const bytes = Buffer.from(JSON.stringify(value));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { bytes, descriptor: { mediaType, digest, size: bytes.length } };
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** The part after the last colon of the last path component; `latest` where there is none. */
function tagOf(reference: string): string {
  const name = reference.slice(reference.lastIndexOf('/') + 1);
  const colon = name.indexOf(':');
  return colon < 0 ? 'latest' : name.slice(colon + 1);
}
