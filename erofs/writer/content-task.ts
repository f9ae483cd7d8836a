import { createHash, hash, type Hash } from 'node:crypto';
import type { FillingEncoder } from '../compression/system-encoders';
import type { EncoderSettings } from './compression-options';
import { encodePiece, outputSlack, type EncodedPiece } from './encode-piece';
import { openEncoder } from './encoder-settings';

/** Bytes of file content that are worked on at once, and the longest piece of a file: a multiple of the block size. */
export const BATCH_SIZE = 4 * 1024 * 1024;

/** The same of content that is only hashed, which is quick: tasks are few all the same, and take less memory. */
export const PLAIN_BATCH_SIZE = 1024 * 1024;

/** A piece of a file, in the input of its batch. */
export interface PieceOrder {
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
  /** The piece is a whole file, and its SHA-256 is wanted. */
  readonly whole: boolean;
  /** Number of the settings it is encoded with; undefined: not at all. */
  readonly settings: number | undefined;
  /** See PieceLimits. */
  readonly inlineMax: number;
  readonly plainBytes: number;
}

/** What became of a piece. */
export interface PieceResult {
  /** SHA-256 of a whole file. */
  readonly digest: Uint8Array | undefined;
  /** Undefined: it is to be stored as it is. */
  readonly encoded: EncodedPiece | undefined;
  /** Where its pclusters stand in the output of the batch (bytes). */
  readonly outputOffset: number;
}

/** Work on content, for any thread. Memory is shared, and the task's until its result is there. */
export type ContentTask =
  | {
      readonly kind: 'pieces';
      readonly input: SharedArrayBuffer;
      readonly output: SharedArrayBuffer | undefined;
      readonly pieces: readonly PieceOrder[];
    }
  /** The next piece of a file that has several: all of them go to one thread, in their order. */
  | {
      readonly kind: 'hash';
      readonly input: SharedArrayBuffer;
      readonly offset: number;
      readonly length: number;
      readonly last: boolean;
    };

export type ContentResult =
  | { readonly kind: 'pieces'; readonly results: readonly PieceResult[] }
  /** The digest comes with the last piece. */
  | { readonly kind: 'hash'; readonly digest: Uint8Array | undefined };

/** Bytes of the output of a batch. */
export function outputSize(inputSize: number, settings: readonly EncoderSettings[]): number {
  return inputSize + Math.max(...settings.map(({ pclusterSize }) => outputSlack(pclusterSize)));
}

/** Does tasks on the calling thread. */
export class ContentWork implements Disposable {
  readonly #encoders: readonly FillingEncoder[];
  #hash: Hash | undefined;

  constructor(private readonly settings: readonly EncoderSettings[]) {
    this.#encoders = settings.map(openEncoder);
  }

  perform(task: ContentTask): ContentResult {
    switch (task.kind) {
      case 'pieces':
        return { kind: 'pieces', results: this.#pieces(task) };
      case 'hash':
        return { kind: 'hash', digest: this.#hashPiece(task) };
    }
  }

  [Symbol.dispose](): void {
    for (const encoder of this.#encoders) encoder[Symbol.dispose]();
  }

  #pieces({ input, output, pieces }: ContentTask & { kind: 'pieces' }): PieceResult[] {
    // A piece never takes more than it has bytes, so outputs of all pieces have room side by side.
    let outputOffset = 0;
    return pieces.map((piece) => {
      const bytes = Buffer.from(input, piece.offset, piece.length);
      const digest = piece.whole ? hash('sha256', bytes, 'buffer') : undefined;
      const encoded =
        output === undefined ? undefined : this.#encode(piece, bytes, Buffer.from(output, outputOffset));
      const result = { digest, encoded, outputOffset };
      if (encoded !== undefined) outputOffset += encoded.bytes + encoded.inlineBytes;
      return result;
    });
  }

  #encode(piece: PieceOrder, bytes: Buffer, output: Buffer): EncodedPiece | undefined {
    if (piece.settings === undefined) return undefined;
    const encoder = this.#encoders[piece.settings];
    const pclusterSize = this.settings[piece.settings]?.pclusterSize;
    if (encoder === undefined || pclusterSize === undefined) {
      throw new RangeError(`no encoder settings ${piece.settings}`);
    }
    const { inlineMax, plainBytes } = piece;
    return encodePiece(bytes, output, encoder, { pclusterSize, inlineMax, plainBytes });
  }

  #hashPiece({ input, offset, length, last }: ContentTask & { kind: 'hash' }): Uint8Array | undefined {
    this.#hash ??= createHash('sha256');
    this.#hash.update(Buffer.from(input, offset, length));
    if (!last) return undefined;
    const digest = this.#hash.digest();
    this.#hash = undefined;
    return digest;
  }
}
