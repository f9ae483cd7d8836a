import { createHash, type Hash } from 'node:crypto';
import { WrongBlobError } from './errors';

/** What containerd says of a layer's blob (OCI image specification, descriptor.md). */
export interface LayerBlob {
  /** Of the blob as it is, compressed or not: `sha256:` or `sha512:` and hexadecimal digits. */
  readonly digest: string;
  /** Bytes of the blob. */
  readonly size: number;
}

/** The tar that was in a blob: `digest` is what image configurations list as diff id. */
export interface LayerTar {
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string;
  readonly bytes: number;
}

const DIGEST = /^(sha256|sha384|sha512):([0-9a-f]+)$/;

/** Whether a blob with this digest can be checked. */
export function isKnownDigest(digest: string): boolean {
  return DIGEST.test(digest);
}

/** The pieces of a blob, which end with a WrongBlobError unless they are the blob. `label` is for errors. */
export async function* checkedBlob(
  pieces: AsyncIterable<Buffer>,
  { digest, size }: LayerBlob,
  label: string,
): AsyncGenerator<Buffer, void> {
  const [, algorithm, expected] = DIGEST.exec(digest) ?? [];
  if (algorithm === undefined) throw new WrongBlobError(label, `${digest} is no digest that is known here`);
  const hash = createHash(algorithm);
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > size)
      throw new WrongBlobError(label, `it is longer than the ${size} bytes that it should have`);
    hash.update(piece);
    yield piece;
  }
  if (bytes < size) throw new WrongBlobError(label, `it ends after ${bytes} of ${size} bytes`);
  const actual = hash.digest('hex');
  if (actual !== expected)
    throw new WrongBlobError(label, `its content has the digest ${algorithm}:${actual}`);
}

/** Finds out what tar passes by. */
export class TarMeter {
  readonly #hash: Hash = createHash('sha256');
  #bytes = 0;

  async *metered(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
    for await (const piece of pieces) {
      this.#hash.update(piece);
      this.#bytes += piece.length;
      yield piece;
    }
  }

  /** To be called once, at the end of the tar. */
  result(): LayerTar {
    return { digest: `sha256:${this.#hash.digest('hex')}`, bytes: this.#bytes };
  }
}
