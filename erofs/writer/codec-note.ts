import { CODECS_XATTR } from '../format/xattr';
import type { EncoderSettings } from './compression-options';
import { codecsOf } from './encoder-settings';
import { FINGERPRINT_PREFIX_ID } from './fingerprint-xattr';
import { HiddenName, type HiddenXattr } from './hidden-xattr';

/** The note takes the long prefix behind that of fingerprints. */
const NAME = new HiddenName(CODECS_XATTR, FINGERPRINT_PREFIX_ID + 1);

/** The note about codecs on the root, and the long prefix that it takes. */
export interface CodecNote extends HiddenXattr {
  /** As it stands in the image. */
  readonly prefixRecord: Buffer;
}

/** Undefined where nothing is compressed. */
export function codecNote(settings: readonly EncoderSettings[]): CodecNote | undefined {
  if (settings.length === 0) return undefined;
  const note = NAME.with(Buffer.from(codecsOf(settings).join(', '), 'latin1'));
  return { ...note, prefixRecord: NAME.prefixRecord };
}
