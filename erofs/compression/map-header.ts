import { ErofsCorruptError, ErofsUnsupportedError } from '../errors';
import {
  ADVISE,
  CLUSTER_BITS_MASK,
  EXTENT_RECORD_SIZES,
  MAP_HEADER_ALIGNMENT,
  WHOLE_FRAGMENT,
  isAlgorithm,
  mapHeaderRecord,
  type Algorithm,
} from '../format/compression';
import { DATA_LAYOUT } from '../format/inode';
import { errorSite, type Site } from '../format/record';
import type { ImageSources } from '../image-sources';
import { inodeEnd, type Inode } from '../inode';
import { readRange } from '../read-range';
import { waitFor, type Steps } from '../steps';
import type { CompressionConfiguration } from './configuration';

interface Common {
  /** First byte behind the header, in the inode's home. */
  readonly end: number;
}

/** The whole file is one piece of the packed file. */
export interface WholeFragment extends Common {
  readonly kind: 'fragment';
  /** Bytes from the start of the packed file. */
  readonly offset: number;
}

/** An index of lclusters follows. */
export interface IndexedHeader extends Common {
  readonly kind: 'index';
  /** log2 of the lcluster size. */
  readonly clusterBits: number;
  /** Of HEAD1 and HEAD2. */
  readonly algorithms: readonly [Algorithm, Algorithm];
  /** HEAD1 pclusters may have several blocks; HEAD2 and plain ones may. */
  readonly bigPclusters: readonly [boolean, boolean];
  readonly packsOf16: boolean;
  readonly interlaced: boolean;
  /** Where the last extent's bytes are in the packed file, bits 0-31; undefined: they are not there. */
  readonly tailFragmentLow: number | undefined;
  /** Bytes of the last extent's pcluster where it is inline, else 0. */
  readonly inlineSize: number;
}

/** A table of encoded extents follows (Linux 6.15). */
export interface ExtentsHeader extends Common {
  readonly kind: 'extents';
  readonly clusterBits: number;
  /** Bytes of a record: 4, 8, 16 or 32. */
  readonly recordSize: number;
  /** Records, where `recordSize` is 16 or 32. */
  readonly count: number;
  readonly interlaced: boolean;
  /** The last extent is in the packed file. */
  readonly tailFragment: boolean;
}

export type MapHeader = WholeFragment | IndexedHeader | ExtentsHeader;

/** Reads what stands behind a compressed inode and says how its extents are found. */
export function* readMapHeader(
  image: ImageSources,
  inode: Inode,
  configuration: CompressionConfiguration,
): Steps<MapHeader> {
  const start = Math.ceil(inodeEnd(inode) / MAP_HEADER_ALIGNMENT) * MAP_HEADER_ALIGNMENT;
  const { name, size } = mapHeaderRecord;
  const bytes = yield* waitFor(readRange(image.home(inode.nid), start, size, inode.nid, name));
  const site: Site = { image: image.label, nid: inode.nid, origin: start };
  const raw = mapHeaderRecord.read(bytes, 0, site);
  const { advise } = raw;
  const end = start + size;
  if ((raw.clusterBits & WHOLE_FRAGMENT) !== 0) {
    return { kind: 'fragment', end, offset: wholeFragmentOffset(bytes, site) };
  }
  const clusterBits = image.superblock.blockBits + (raw.clusterBits & CLUSTER_BITS_MASK);
  const interlaced = (advise & ADVISE.INTERLACED_PCLUSTER) !== 0;
  const fragment = (advise & ADVISE.FRAGMENT_PCLUSTER) !== 0;
  if (inode.layout === DATA_LAYOUT.COMPRESSED_FULL && (advise & ADVISE.EXTENTS) !== 0) {
    return {
      kind: 'extents',
      end,
      clusterBits,
      recordSize: EXTENT_RECORD_SIZES[(advise >>> ADVISE.EXTENT_SIZE_SHIFT) & ADVISE.EXTENT_SIZE_MASK] ?? 4,
      count: raw.extentsLow + raw.extentsHigh * 2 ** 32,
      interlaced,
      tailFragment: fragment,
    };
  }
  const bigPclusters = checkedBigPclusters(advise, inode, configuration, site);
  const inline = !fragment && (advise & ADVISE.INLINE_PCLUSTER) !== 0;
  return {
    kind: 'index',
    end,
    clusterBits,
    algorithms: [checkedAlgorithm(raw.algorithms & 0xf, site), checkedAlgorithm(raw.algorithms >>> 4, site)],
    bigPclusters,
    packsOf16: (advise & ADVISE.COMPACTED_2B) !== 0,
    interlaced,
    tailFragmentLow: fragment ? raw.fragmentOffsetLow : undefined,
    inlineSize: inline ? raw.inlineSize : 0,
  };
}

/** The header's 63 low bits. */
function wholeFragmentOffset(header: Buffer, site: Site): number {
  const offset = BigInt.asUintN(63, header.readBigUInt64LE(0));
  if (offset <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(offset);
  throw new ErofsCorruptError(
    errorSite(site, 0, 'map header.fragmentOffset'),
    `${offset} is beyond every file`,
  );
}

function checkedAlgorithm(number: number, site: Site): Algorithm {
  if (isAlgorithm(number)) return number;
  const { name, offset } = mapHeaderRecord.fields.algorithms;
  throw new ErofsUnsupportedError(errorSite(site, offset, name), `algorithm ${number}`);
}

function checkedBigPclusters(
  advise: number,
  inode: Inode,
  configuration: CompressionConfiguration,
  site: Site,
): [boolean, boolean] {
  const first = (advise & ADVISE.BIG_PCLUSTER_1) !== 0;
  const second = (advise & ADVISE.BIG_PCLUSTER_2) !== 0;
  const { name, offset } = mapHeaderRecord.fields.advise;
  if ((first || second) && !configuration.bigPclusters) {
    throw new ErofsCorruptError(
      errorSite(site, offset, name),
      'the image has no pclusters of several blocks',
    );
  }
  if (inode.layout === DATA_LAYOUT.COMPRESSED_COMPACT && first !== second) {
    throw new ErofsCorruptError(
      errorSite(site, offset, name),
      'compact indexes want both kinds of pclusters big or neither',
    );
  }
  return [first, second];
}
