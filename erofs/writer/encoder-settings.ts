import {
  Lz4Encoder,
  Lz4HcEncoder,
  ZstdEncoder,
  lz4Version,
  zstdVersion,
  type FillingEncoder,
} from '../compression/system-encoders';
import {
  ALGORITHM,
  PCLUSTER_SIZE_MAX,
  ZSTD_WINDOW_LOG_BASE,
  ZSTD_WINDOW_LOG_MAX,
  type Algorithm,
} from '../format/compression';
import type { Encoder, EncoderSettings } from './compression-options';
import { BLOCK_SIZE } from './geometry';

interface EncoderKind {
  readonly algorithm: Algorithm;
  /** Undefined: it has no levels. */
  readonly levels: { readonly max: number; readonly default: number } | undefined;
  /** The library and its version, such as `liblz4 1.9.4`. */
  codec(): string;
}

const lz4Codec = (): string => `liblz4 ${lz4Version()}`;

/** What each encoder is. */
export const ENCODERS: Readonly<Record<Encoder, EncoderKind>> = {
  lz4: { algorithm: ALGORITHM.LZ4, levels: undefined, codec: lz4Codec },
  lz4hc: { algorithm: ALGORITHM.LZ4, levels: { max: 12, default: 9 }, codec: lz4Codec },
  zstd: {
    algorithm: ALGORITHM.ZSTD,
    levels: { max: 22, default: 3 },
    codec: () => `libzstd ${zstdVersion()}`,
  },
};

/** Throws RangeError where no encoder works like this. */
export function checkSettings({ encoder, level, pclusterSize }: EncoderSettings): void {
  const { levels } = ENCODERS[encoder];
  if (level !== undefined) {
    if (levels === undefined) throw new RangeError(`${encoder} has no levels`);
    if (!Number.isInteger(level) || level < 1 || level > levels.max) {
      throw new RangeError(`${encoder} has levels from 1 to ${levels.max}, not ${level}`);
    }
  }
  if (pclusterSize < BLOCK_SIZE || pclusterSize > PCLUSTER_SIZE_MAX || pclusterSize % BLOCK_SIZE !== 0) {
    throw new RangeError(
      `pclusters of ${pclusterSize} bytes: they have ${BLOCK_SIZE} to ${PCLUSTER_SIZE_MAX}, in whole blocks`,
    );
  }
}

/** An encoder for these settings. The caller's. */
export function openEncoder({ encoder, level, pclusterSize }: EncoderSettings): FillingEncoder {
  const chosen = level ?? ENCODERS[encoder].levels?.default ?? 0;
  switch (encoder) {
    case 'lz4':
      return new Lz4Encoder();
    case 'lz4hc':
      return new Lz4HcEncoder(chosen);
    case 'zstd':
      return new ZstdEncoder(chosen, zstdWindowLog(pclusterSize));
  }
}

/**
 * log2 of the window: 8 times the pcluster, like mkfs.erofs. Each CPU of the machine that mounts the image by the kernel
 * keeps this much memory.
 */
export function zstdWindowLog(pclusterSize: number): number {
  return Math.min(
    Math.max(Math.floor(Math.log2(pclusterSize * 8)), ZSTD_WINDOW_LOG_BASE),
    ZSTD_WINDOW_LOG_MAX,
  );
}

/** The codecs that these settings need, sorted, each once: `liblz4 1.9.4`. */
export function codecsOf(settings: readonly EncoderSettings[]): string[] {
  return [...new Set(settings.map(({ encoder }) => ENCODERS[encoder].codec()))].sort();
}
