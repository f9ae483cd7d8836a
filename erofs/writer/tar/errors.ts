import { ImageBuildError } from '../errors';

/** Where in a tar stream something is wrong. */
export interface TarPlace {
  /** Path of the tar. */
  readonly tar: string;
  /** Byte offset in the stream, decompressed. */
  readonly offset: number;
  /** Name of the entry in question as the stream has it; undefined where none is known. */
  readonly entry?: Buffer | undefined;
}

/** Names are shown up to here (bytes): those of hostile streams may have a megabyte. */
const SHOWN_NAME = 300;

/** Base of what goes wrong with a tar stream. */
export abstract class TarError extends ImageBuildError {
  /** Byte offset in the stream, decompressed. */
  readonly offset: number;
  /** The entry as people know it; bytes that are no UTF-8 are shown as U+FFFD. */
  readonly entry: string | undefined;

  constructor(place: TarPlace, problem: string, options?: ErrorOptions) {
    const entry = place.entry === undefined ? undefined : shownPath(place.entry);
    const where = entry === undefined ? `byte ${place.offset}` : `${entry} at byte ${place.offset}`;
    super(`${place.tar}, ${where}`, problem, options);
    this.offset = place.offset;
    this.entry = entry;
  }
}

/** The stream contradicts the format, or ends too early. */
export class MalformedTarError extends TarError {
  override readonly name = 'MalformedTarError';
  readonly code = 'ERR_EROFS_TAR_MALFORMED';
}

/** The stream may be right, but uses something that this reader does not know. */
export class UnsupportedTarError extends TarError {
  override readonly name = 'UnsupportedTarError';
  readonly code = 'ERR_EROFS_TAR_UNSUPPORTED';
}

/** The entry is well formed, but no tree can hold it beside what came before it. */
export class ImpossibleEntryError extends TarError {
  override readonly name = 'ImpossibleEntryError';
  readonly code = 'ERR_EROFS_TAR_ENTRY';
}

/** The compressed stream around the tar does not decode. */
export class DamagedCompressionError extends TarError {
  override readonly name = 'DamagedCompressionError';
  readonly code = 'ERR_EROFS_TAR_COMPRESSION';
}

/** The bytes of a layer's blob are not those that its descriptor names. */
export class WrongBlobError extends ImageBuildError {
  override readonly name = 'WrongBlobError';
  readonly code = 'ERR_EROFS_TAR_BLOB';
}

/** A path of the stream for a message. */
export function shownPath(path: Buffer): string {
  const text = path.subarray(0, SHOWN_NAME).toString('utf8');
  return path.length > SHOWN_NAME ? `${text}...` : text;
}
