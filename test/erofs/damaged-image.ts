import { readFileSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ByteSource } from '../../erofs/byte-source';
import { CacheBudget } from '../../erofs/cache-budget';
import { CachedSource } from '../../erofs/cached-source';
import { SUPERBLOCK_OFFSET, superblockRecord } from '../../erofs/format/superblock';
import { ErofsImage } from '../../erofs/image';
import { MemorySource } from '../../erofs/memory-source';
import { superblockChecksum } from '../../erofs/superblock';

const fixtures = resolve('test/fixtures/erofs');
const images = new Map(
  readdirSync(fixtures)
    .filter((name) => name.endsWith('.erofs'))
    .map((name) => [name, readFileSync(join(fixtures, name))]),
);
/** Every sample image. */
export const sampleNames = [...images.keys()];

/** Extra devices of those that have some. */
export const devicesOf: Readonly<Record<string, readonly string[]>> = {
  'chunk-blobdev.erofs': ['chunk-blobdev.blob'],
  'tar-i.erofs': ['src.tar'],
};

/** A copy of a sample, to be damaged. */
export function sample(name: string): Buffer {
  return Buffer.from(images.get(name)!);
}

/** Makes the checksum right again, so that damage to the superblock gets past it. */
export function seal(bytes: Buffer): Buffer {
  if (bytes.length < SUPERBLOCK_OFFSET + superblockRecord.size) return bytes;
  const { blkszbits, checksum } = superblockRecord.fields;
  const site = { image: 'seal', origin: 0 };
  const bits = blkszbits.read(bytes, SUPERBLOCK_OFFSET, site);
  if (bits >= 9 && bits <= 16) checksum.write(bytes, SUPERBLOCK_OFFSET, superblockChecksum(bytes, 2 ** bits));
  return bytes;
}

/** Opens bytes as an image named `hostile`: in memory, or through a cache that never has enough. */
export function openBytes(
  bytes: Buffer,
  cached: boolean,
  deviceFiles: readonly string[] = [],
): Promise<ErofsImage> {
  const memory = new MemorySource(bytes, 'hostile');
  const devices = deviceFiles.map((name) => new MemorySource(readFileSync(join(fixtures, name)), 'hostile'));
  if (!cached) return ErofsImage.fromSources(memory, memory, { devices });
  // Without peek() underneath and with a budget of a few pieces, so that every path waits now and then.
  const slow: ByteSource = {
    label: 'hostile',
    size: bytes.length,
    read: memory.read.bind(memory),
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
  };
  return ErofsImage.fromSources(slow, new CachedSource(slow, new CacheBudget(3 * 512), 512), { devices });
}
