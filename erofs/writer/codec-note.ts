import { BASE_HIDDEN, CODECS_XATTR, LONG_PREFIX, longPrefixRecord } from '../format/xattr';
import { xattrFilterBit } from '../xattr-name';
import type { EncoderSettings } from './compression-options';
import { codecsOf } from './encoder-settings';
import { FINGERPRINT_PREFIX_ID } from './fingerprint-xattr';
import type { RootNote } from './xattrs';

const NAME = Buffer.from(CODECS_XATTR, 'latin1');

/** Number of the long prefix that is the note's name. */
const PREFIX_ID = FINGERPRINT_PREFIX_ID + 1;

/** The note about codecs on the root, and the long prefix that it takes. */
export interface CodecNote extends RootNote {
  /** As it stands in the image. */
  readonly prefixRecord: Buffer;
}

/** Undefined where nothing is compressed. */
export function codecNote(settings: readonly EncoderSettings[]): CodecNote | undefined {
  if (settings.length === 0) return undefined;
  const prefixRecord = Buffer.alloc(longPrefixRecord.size + NAME.length);
  longPrefixRecord.write(prefixRecord, 0, { length: NAME.length + 1, baseIndex: BASE_HIDDEN });
  NAME.copy(prefixRecord, longPrefixRecord.size);
  return {
    nameIndex: LONG_PREFIX | PREFIX_ID,
    value: Buffer.from(codecsOf(settings).join(', '), 'latin1'),
    filterBit: xattrFilterBit(BASE_HIDDEN, NAME),
    prefixRecord,
  };
}
