import type { Nid } from '../brands';
import { ErofsCorruptError } from '../errors';
import { GenerationCache } from '../generation-cache';
import type { ImageSources } from '../image-sources';
import type { Inode } from '../inode';
import { settle, type Steps } from '../steps';
import type { CompressionConfiguration } from './configuration';
import { DecodedCache } from './decoded-cache';
import type { Decoder } from './decoder';
import type { Decoding } from './decoding';
import { EncodedExtentMap } from './encoded-extents';
import type { Extent, ExtentMap } from './extent';
import { IndexMap } from './index-map';
import { readMapHeader, type MapHeader } from './map-header';

/** Compressed files whose map header is remembered. */
const MAPS_KEPT = 256;

/** What one image keeps for reading its compressed files. */
export class ImageCompression {
  readonly decoder: Decoder;
  readonly decoded: DecodedCache;
  readonly #maps = new GenerationCache<Nid, ExtentMap>(MAPS_KEPT);

  constructor(
    readonly configuration: CompressionConfiguration,
    { decoder, budget }: Decoding,
  ) {
    this.decoder = decoder;
    this.decoded = new DecodedCache(budget);
  }

  /** The map of a compressed inode that is not empty. */
  mapOf(image: ImageSources, inode: Inode): ExtentMap | Promise<ExtentMap> {
    return this.#maps.get(inode.nid) ?? settle(this.#readMap(image, inode));
  }

  clear(): void {
    this.#maps.clear();
    this.decoded.clear();
  }

  *#readMap(image: ImageSources, inode: Inode): Steps<ExtentMap> {
    if (this.configuration.algorithms.size === 0) {
      throw new ErofsCorruptError(
        { image: image.label, nid: inode.nid, offset: inode.xattrOffset, field: 'inode.format' },
        'a compressed inode in an image without compression',
      );
    }
    const header = yield* readMapHeader(image, inode, this.configuration);
    const map = this.#makeMap(image, inode, header);
    this.#maps.set(inode.nid, map);
    return map;
  }

  #makeMap(image: ImageSources, inode: Inode, header: MapHeader): ExtentMap {
    switch (header.kind) {
      case 'fragment': {
        const whole: Extent = { kind: 'fragment', start: 0, length: inode.size, offset: header.offset };
        return { find: () => whole, findRun: () => [whole], check: () => Promise.resolve() };
      }
      case 'index':
        return new IndexMap(image, inode, header, this.configuration);
      case 'extents':
        return new EncodedExtentMap(image, inode, header, this.configuration);
    }
  }
}
