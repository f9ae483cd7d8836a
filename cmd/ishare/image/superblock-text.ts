import { ALGORITHM_NAMES, type Algorithm } from '../../../erofs/format/compression';
import { COMPAT, INCOMPAT, featureNames } from '../../../erofs/format/feature';
import type { ErofsImage } from '../../../erofs/image';
import { formatUuid } from '../../../erofs/uuid';
import { xattrPrefixBytes } from '../../../erofs/xattr-name';
import { formatBytes } from '../output';
import { nidJson, timeText } from './inode-text';
import { jsonName, visibleName } from './visible-name';

/** A fact about an image: for a person, and for programs. */
export interface Fact {
  readonly title: string;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** What the superblock says, and the tables that it points to. */
export async function superblockFacts(image: ErofsImage): Promise<Fact[]> {
  const { superblock, sources } = image;
  const { featureCompat, featureIncompat } = superblock;
  const { configuration } = sources.compression;
  const prefixes = await image.longPrefixes();
  const codecs = await image.codecs();
  const names = prefixes.map(({ baseIndex, infix }) =>
    Buffer.concat([xattrPrefixBytes(baseIndex) ?? Buffer.alloc(0), infix]),
  );
  const fingerprintName =
    superblock.fingerprintPrefix === undefined ? undefined : names[superblock.fingerprintPrefix];
  const bytes = superblock.blocks * superblock.blockSize;
  const built = { seconds: superblock.buildTime, nanoseconds: superblock.fixedNanoseconds };
  return [
    fact('Block size', 'block_size', superblock.blockSize, `${superblock.blockSize} bytes`),
    fact('Blocks', 'blocks', superblock.blocks, `${superblock.blocks} (${formatBytes(bytes)})`),
    fact('Inodes', 'inodes', superblock.inodes),
    nidFact('Root', 'root_nid', superblock.rootNid),
    nidFact('Packed file', 'packed_nid', superblock.packedNid),
    nidFact('Metabox file', 'metabox_nid', superblock.metaboxNid),
    fact('Inodes begin at', 'meta_offset', superblock.metaOffset, `byte ${superblock.metaOffset}`),
    fact(
      'Shared xattrs begin at',
      'shared_xattr_offset',
      superblock.sharedXattrOffset,
      `byte ${superblock.sharedXattrOffset}`,
    ),
    fact('Built', 'built', built, timeText(built)),
    fact('UUID', 'uuid', formatUuid(superblock.uuid)),
    {
      title: 'Volume name',
      text: visibleName(superblock.volumeName) || '-',
      json: jsonName('volume_name', superblock.volumeName),
    },
    listFact('Compatible features', 'compatible_features', featureNames(featureCompat, COMPAT)),
    listFact('Incompatible features', 'incompatible_features', featureNames(featureIncompat, INCOMPAT)),
    listFact('Compression', 'algorithms', algorithmNames(configuration.algorithms)),
    ...(codecs === undefined ? [] : [fact('Compressed by', 'codecs', codecs)]),
    {
      title: 'Xattr prefixes',
      text: names.map(visibleName).join(', ') || '-',
      json: { xattr_prefixes: names.map((name) => jsonName('name', name)) },
    },
    {
      title: 'Fingerprints',
      text: fingerprintName === undefined ? '-' : visibleName(fingerprintName),
      json: fingerprintName === undefined ? {} : jsonName('fingerprint_xattr', fingerprintName),
    },
    ...deviceFacts(image),
  ];
}

function deviceFacts({ sources }: ErofsImage): Fact[] {
  const { slots } = sources.devices;
  const json = slots.map(({ tag, blocks, uniformAddress }) => ({
    ...jsonName('tag', tag),
    blocks,
    uniform_address: uniformAddress,
  }));
  if (slots.length === 0) return [{ title: 'Extra devices', text: '-', json: { devices: json } }];
  return slots.map(({ tag, blocks, uniformAddress }, index) => ({
    title: `Device ${index + 1}`,
    text: `${blocks} blocks, seen from block ${uniformAddress} on, tag ${visibleName(tag) || '-'}`,
    json: { devices: json },
  }));
}

function algorithmNames(algorithms: ReadonlySet<Algorithm>): string[] {
  return [...algorithms].map((algorithm) => ALGORITHM_NAMES[algorithm]);
}

function fact(title: string, key: string, value: unknown, text = String(value)): Fact {
  return { title, text, json: { [key]: value } };
}

function nidFact(title: string, key: string, nid: Parameters<typeof nidJson>[0] | undefined): Fact {
  if (nid === undefined) return { title, text: '-', json: {} };
  return fact(title, key, nidJson(nid), `inode ${nidJson(nid)}`);
}

function listFact(title: string, key: string, values: readonly string[]): Fact {
  return fact(title, key, values, values.join(', ') || '-');
}
