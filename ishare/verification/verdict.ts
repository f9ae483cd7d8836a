import type { VerifiedFile } from '../image-trust';

/** How far the verification of an image is, in its regular files that claim a fingerprint. */
export interface VerificationProgress {
  readonly files: number;
  /** Bytes of content that were hashed. */
  readonly bytes: number;
}

/** Files that were found to have the content that they claim, since the batch before. */
export interface VerifiedBatch {
  readonly verified: readonly VerifiedFile[];
  readonly progress: VerificationProgress;
}

/**
 * What the verification of an image came to.
 *
 * - verified: each file that claims a fingerprint has the content for it.
 * - forged: one has another content. `claimed` and `actual` are SHA-256 digests in hexadecimal.
 * - unreadable: the image contradicts itself, or claims too much to be checked.
 * - failed: it could not be looked at; that says nothing about the image.
 */
export type Verdict =
  | ({
      readonly kind: 'verified';
      /** Regular files that claim nothing. */
      readonly unclaimed: number;
      /** Files whose fingerprint is no "sha256:" and 32 bytes, which are never shared; the first one by its path. */
      readonly malformed: { readonly files: number; readonly first: string } | undefined;
    } & VerificationProgress)
  | { readonly kind: 'forged'; readonly path: string; readonly claimed: string; readonly actual: string }
  | { readonly kind: 'unreadable'; readonly problem: string }
  | { readonly kind: 'failed'; readonly problem: string };
