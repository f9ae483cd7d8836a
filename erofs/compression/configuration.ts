import type { ByteSource } from '../byte-source';
import { ErofsCorruptError, ErofsUnsupportedError, type ErofsErrorSite } from '../errors';
import {
  ALGORITHM,
  ALGORITHM_NAMES,
  CONFIGURATION_ALIGNMENT,
  DEFLATE_WINDOW_BITS_MAX,
  DEFLATE_WINDOW_BITS_MIN,
  LZMA_DICTIONARY_MAX,
  LZMA_DICTIONARY_MIN,
  PCLUSTER_SIZE_MAX,
  ZSTD_WINDOW_LOG_BASE,
  ZSTD_WINDOW_LOG_MAX,
  configurationHeadRecord,
  deflateConfigurationRecord,
  isAlgorithm,
  lz4ConfigurationRecord,
  lzmaConfigurationRecord,
  zstdConfigurationRecord,
  type Algorithm,
} from '../format/compression';
import { INCOMPAT } from '../format/feature';
import type { Site } from '../format/record';
import { SUPERBLOCK_OFFSET } from '../format/superblock';
import { readRange } from '../read-range';
import type { Superblock } from '../superblock';

/** How an image as a whole is compressed. */
export interface CompressionConfiguration {
  /** Empty: the image holds no compressed file. */
  readonly algorithms: ReadonlySet<Algorithm>;
  /** Streams end where their pcluster ends and have zeros before them; else LZ4 starts it and zeros may follow. */
  readonly zeroPadding: boolean;
  /** Pclusters of several blocks are allowed. */
  readonly bigPclusters: boolean;
  /** Bytes. */
  readonly lzmaDictionarySize: number;
}

/** Reads what the superblock and the records behind it say; what Linux refuses to mount is refused. */
export async function readCompressionConfiguration(
  superblock: Superblock,
  metadata: ByteSource,
): Promise<CompressionConfiguration> {
  const { featureIncompat, compressionWord } = superblock;
  const zeroPadding = (featureIncompat & INCOMPAT.LZ4_0PADDING) !== 0;
  if ((featureIncompat & INCOMPAT.COMPR_CFGS) === 0) {
    // The word is the LZ4 distance then, which tells an old compressed image from a plain one.
    const algorithms = new Set<Algorithm>(zeroPadding || compressionWord !== 0 ? [ALGORITHM.LZ4] : []);
    return { algorithms, zeroPadding, bigPclusters: false, lzmaDictionarySize: LZMA_DICTIONARY_MAX };
  }
  const algorithms = new Set<Algorithm>();
  let lzmaDictionarySize = LZMA_DICTIONARY_MAX;
  let position = SUPERBLOCK_OFFSET + superblock.size;
  for (let number = 0; number < 16; number++) {
    if (((compressionWord >>> number) & 1) === 0) continue;
    if (!isAlgorithm(number)) {
      const site = { image: metadata.label, field: 'superblock.availableCompressionAlgorithms' };
      throw new ErofsUnsupportedError(site, `algorithm ${number}`);
    }
    const payload = await readPayload(metadata, position);
    checkPayload(number, payload.bytes, payload.site, superblock);
    if (number === ALGORITHM.LZMA) {
      lzmaDictionarySize = lzmaConfigurationRecord.read(payload.bytes, 0, payload.site).dictionarySize;
    }
    algorithms.add(number);
    position = payload.end;
  }
  return { algorithms, zeroPadding, bigPclusters: true, lzmaDictionarySize };
}

async function readPayload(
  metadata: ByteSource,
  after: number,
): Promise<{ bytes: Buffer; site: Site; end: number }> {
  const start = Math.ceil(after / CONFIGURATION_ALIGNMENT) * CONFIGURATION_ALIGNMENT;
  const { name, size } = configurationHeadRecord;
  const head = await readRange(metadata, start, size, undefined, name);
  const { length } = configurationHeadRecord.read(head, 0, { image: metadata.label, origin: start });
  const end = start + size + (length === 0 ? 65536 : length);
  const bytes = await readRange(metadata, start + size, end - start - size, undefined, name);
  return { bytes, site: { image: metadata.label, origin: start + size }, end };
}

/** What no decoder here needs is checked all the same: an image whose claims cannot be true is refused whole. */
function checkPayload(algorithm: Algorithm, payload: Buffer, site: Site, superblock: Superblock): void {
  switch (algorithm) {
    case ALGORITHM.LZ4: {
      const { maxPclusterBlocks } = lz4ConfigurationRecord.read(payload, 0, site);
      const bytes = maxPclusterBlocks * superblock.blockSize;
      requireThat(bytes <= PCLUSTER_SIZE_MAX, algorithm, site, `pclusters of ${bytes} bytes`);
      return;
    }
    case ALGORITHM.LZMA: {
      const { dictionarySize, format } = lzmaConfigurationRecord.read(payload, 0, site);
      requireKnown(format, algorithm, site);
      const fits = dictionarySize >= LZMA_DICTIONARY_MIN && dictionarySize <= LZMA_DICTIONARY_MAX;
      requireThat(fits, algorithm, site, `a dictionary of ${dictionarySize} bytes`);
      return;
    }
    case ALGORITHM.DEFLATE: {
      const { windowBits } = deflateConfigurationRecord.read(payload, 0, site);
      const fits = windowBits >= DEFLATE_WINDOW_BITS_MIN && windowBits <= DEFLATE_WINDOW_BITS_MAX;
      requireThat(fits, algorithm, site, `a window of ${windowBits} bits`);
      return;
    }
    case ALGORITHM.ZSTD: {
      const { format, windowLog } = zstdConfigurationRecord.read(payload, 0, site);
      requireKnown(format, algorithm, site);
      const bits = windowLog + ZSTD_WINDOW_LOG_BASE;
      requireThat(bits <= ZSTD_WINDOW_LOG_MAX, algorithm, site, `a window of ${bits} bits`);
      return;
    }
  }
}

function siteOf(algorithm: Algorithm, site: Site): ErofsErrorSite {
  return { image: site.image, offset: site.origin, field: `${ALGORITHM_NAMES[algorithm]} configuration` };
}

function requireThat(holds: boolean, algorithm: Algorithm, site: Site, problem: string): void {
  if (!holds) throw new ErofsCorruptError(siteOf(algorithm, site), problem);
}

function requireKnown(format: number, algorithm: Algorithm, site: Site): void {
  if (format !== 0) throw new ErofsUnsupportedError(siteOf(algorithm, site), `format ${format}`);
}
