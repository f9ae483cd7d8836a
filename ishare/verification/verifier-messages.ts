import type { Verdict, VerifiedBatch } from './verdict';

/** What a verifier thread is started for. */
export interface VerifierTask {
  readonly imagePath: string;
}

/** The one thing that it is told later: to end soon, without a verdict. */
export type ToVerifier = 'stop';

export type FromVerifier =
  ({ readonly kind: 'batch' } & VerifiedBatch) | { readonly kind: 'verdict'; readonly verdict: Verdict };
