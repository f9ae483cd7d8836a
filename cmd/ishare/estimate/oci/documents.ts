import * as z from 'zod';
import type { ByteSource } from '../../../../erofs/byte-source';
import { ArchiveError } from '../archive-error';
import { DigestCheck, isDigest } from './digest';

/** The documents of an image, as far as they matter here; what else is in them may be anything. */

const digest = z.string().refine(isDigest, 'is no SHA-256 or SHA-512 digest');

const platform = z.object({ os: z.string(), architecture: z.string(), variant: z.string().optional() });

const descriptor = z.object({
  mediaType: z.string(),
  digest,
  /** Bytes. */
  size: z.int().nonnegative(),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: platform.nullish(),
});

/** `index.json`, and indexes below it (image-index.md; Docker's manifest list is the same here). */
export const indexSchema = z.object({ manifests: z.array(descriptor).nullable() });

/** A manifest (manifest.md; Docker's image manifest, version 2, is the same here). */
export const manifestSchema = z.object({ config: descriptor, layers: z.array(descriptor).nullable() });

/** The configuration of an image (config.md). */
export const configurationSchema = z.object({
  os: z.string().optional(),
  architecture: z.string().optional(),
  variant: z.string().optional(),
  rootfs: z.object({ diff_ids: z.array(digest).nullable() }),
});

/** `manifest.json` of `docker save`. */
export const dockerManifestSchema = z.array(
  z.object({
    Config: z.string(),
    RepoTags: z.array(z.string()).nullish(),
    Layers: z.array(z.string()).nullable(),
  }),
);

export type Descriptor = z.infer<typeof descriptor>;
export type Configuration = z.infer<typeof configurationSchema>;

/** Longer documents are refused (bytes): they are held in memory. */
const DOCUMENT_MAX = 8 * 1024 * 1024;

/**
 * Reads a document. Throws ArchiveError naming it, also where it has not the digest that was promised.
 *
 * @param source is left open.
 */
export async function readDocument<Schema extends z.ZodType>(
  source: ByteSource,
  schema: Schema,
  promised?: string,
): Promise<z.infer<Schema>> {
  const { label, size } = source;
  if (size > DOCUMENT_MAX) {
    throw new ArchiveError(
      label,
      `${size} bytes, where a JSON document of ${DOCUMENT_MAX} at most should be`,
    );
  }
  const bytes = await source.read(0, size);
  if (promised !== undefined) {
    const check = new DigestCheck(promised);
    check.update(bytes);
    const actual = check.difference();
    if (actual !== undefined) throw new ArchiveError(label, `the content has the digest ${actual}`);
  }
  const result = schema.safeParse(parsed(bytes, label));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new ArchiveError(label, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, {
    cause: result.error,
  });
}

function parsed(bytes: Buffer, label: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new ArchiveError(label, `is no JSON: ${(error as Error).message}`, { cause: error });
  }
}
