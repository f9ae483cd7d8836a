import { createHash, type Hash } from 'node:crypto';

/** Digests of the OCI image specification (descriptor.md), as far as anybody uses them: hexadecimal digits of each. */
const DIGITS: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/** Form of a digest: its algorithm, a colon and hexadecimal digits. So it cannot lead out of a directory either. */
export function isDigest(text: string): boolean {
  const [algorithm = '', digits = '', ...more] = text.split(':');
  return more.length === 0 && /^[0-9a-f]+$/.test(digits) && digits.length === DIGITS[algorithm];
}

/** Where an image layout keeps a blob (image-layout.md). */
export function blobPath(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** The digest that a path promises: that of an image layout, or of `docker save` before version 25 for a configuration. */
export function promisedDigest(path: string): string | undefined {
  const [, algorithm, digits] = /^blobs\/([a-z0-9]+)\/([0-9a-f]+)$/.exec(path) ?? [];
  const digest = `${algorithm ?? 'sha256'}:${digits ?? /^([0-9a-f]+)\.json$/.exec(path)?.[1] ?? ''}`;
  return isDigest(digest) ? digest : undefined;
}

/** Takes bytes and tells whether they have a digest. */
export class DigestCheck {
  readonly #algorithm: string;
  readonly #hash: Hash;

  constructor(readonly expected: string) {
    this.#algorithm = expected.slice(0, expected.indexOf(':'));
    this.#hash = createHash(this.#algorithm);
  }

  update(bytes: Buffer): void {
    this.#hash.update(bytes);
  }

  /** After the last byte, once: the digest that they have, where it is another one. */
  difference(): string | undefined {
    const actual = `${this.#algorithm}:${this.#hash.digest('hex')}`;
    return actual === this.expected ? undefined : actual;
  }
}

/** Chain ids of layers, the lowest first, by their diff ids (config.md, "Layer ChainID"). */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : sha256(`${below} ${diffId}`));
  }
  return chain;
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
