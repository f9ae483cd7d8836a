import type { Layer, LayerFile } from './layer-files';
import { visibleFiles } from './visible-files';

/** Bytes of a page: the page cache holds whole ones. */
const PAGE_BYTES = 4096;

/** An image as a container sees it. */
export interface LayeredImage {
  /** The lowest first. Layers that images have in common are the same objects. */
  readonly layers: readonly Layer[];
}

/** Sums are over inodes with content: hard links within a layer are one. */
export interface FileSum {
  readonly files: number;
  /** Bytes of page cache, whole pages for each file. */
  readonly pageCache: number;
}

export interface ImageSum extends FileSum {
  /** Files whose content another image has too. */
  readonly inOthers: FileSum;
}

/** An inode of a layer, with the images that show it. */
export interface FileCopy {
  readonly file: LayerFile;
  /** By the image's index, its first path in that image (latin1). */
  readonly paths: ReadonlyMap<number, string>;
}

/** A content that several inodes have. */
export interface RepeatedContent {
  /** SHA-256 in hexadecimal. */
  readonly digest: string;
  /** Bytes of the file. */
  readonly size: number;
  readonly copies: readonly FileCopy[];
  /** Bytes of page cache that all copies but one take. */
  readonly saved: number;
}

/** What the page cache holds once containers of all images have read all of their files. */
export interface SharingEstimate {
  readonly images: readonly ImageSum[];
  /** With pages for each inode of each layer; a layer that images have in common is one on the host. */
  readonly alone: FileSum;
  /** With pages for each content, as within one domain. `files` counts contents. */
  readonly shared: FileSum;
  /** Layers that several images have, and the files of theirs that are visible: they share without a domain too. */
  readonly commonLayers: FileSum & { readonly layers: number };
  /** What saves most first. */
  readonly repeated: readonly RepeatedContent[];
}

/** A content with all that has it. */
interface Content {
  readonly copies: FileCopy[];
  readonly images: Set<number>;
}

/** Computes what some images share. The order of the images changes nothing but the order of what is said of them. */
export function estimateSharing(images: readonly LayeredImage[]): SharingEstimate {
  const copies = copiesIn(images);
  const contents = contentsOf([...copies.values()].flatMap((ofLayer) => [...ofLayer.values()]));
  const alone = new Sum();
  const shared = new Sum();
  const perImage = images.map(() => ({ all: new Sum(), inOthers: new Sum() }));
  const repeated: RepeatedContent[] = [];
  for (const content of contents.values()) {
    const [first] = content.copies;
    if (first === undefined) continue;
    const { size, digest } = first.file;
    shared.add(size);
    for (const { paths } of content.copies) {
      alone.add(size);
      for (const index of paths.keys()) {
        perImage[index]?.all.add(size);
        if (content.images.size > 1) perImage[index]?.inOthers.add(size);
      }
    }
    const saved = (content.copies.length - 1) * wholePages(size);
    if (saved > 0) repeated.push({ digest, size, copies: content.copies, saved });
  }
  repeated.sort((a, b) => b.saved - a.saved || (a.digest < b.digest ? -1 : 1));
  return {
    images: perImage.map(({ all, inOthers }) => ({ ...all.value, inOthers: inOthers.value })),
    alone: alone.value,
    shared: shared.value,
    commonLayers: commonLayersOf(images, copies),
    repeated,
  };
}

/** The part of the unshared page cache that sharing saves, in percent; 0 where there is none. */
export function savedPercent({ alone, shared }: SharingEstimate): number {
  return alone.pageCache === 0 ? 0 : (100 * (alone.pageCache - shared.pageCache)) / alone.pageCache;
}

type CopiesByLayer = ReadonlyMap<Layer, ReadonlyMap<LayerFile, FileCopy>>;

/** Every inode that some image shows. */
function copiesIn(images: readonly LayeredImage[]): CopiesByLayer {
  const copies = new Map<Layer, Map<LayerFile, GrowingCopy>>();
  for (const [index, { layers }] of images.entries()) {
    for (const { layer, file, path } of visibleFiles(layers)) {
      const ofLayer = entryOf(copies, layer, () => new Map<LayerFile, GrowingCopy>());
      const { paths } = entryOf(ofLayer, file, (): GrowingCopy => ({ file, paths: new Map() }));
      if (!paths.has(index)) paths.set(index, path);
    }
  }
  return copies;
}

interface GrowingCopy extends FileCopy {
  readonly paths: Map<number, string>;
}

/** The value of a key, which is made where it is missing. */
function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

function contentsOf(copies: readonly FileCopy[]): ReadonlyMap<string, Content> {
  const contents = new Map<string, Content>();
  for (const copy of copies) {
    const { size, digest } = copy.file;
    // A digest that was trusted with another size is another content, as it is for the daemon.
    const content = entryOf(contents, `${size}:${digest}`, (): Content => ({
      copies: [],
      images: new Set(),
    }));
    content.copies.push(copy);
    for (const index of copy.paths.keys()) content.images.add(index);
  }
  return contents;
}

function commonLayersOf(
  images: readonly LayeredImage[],
  copies: CopiesByLayer,
): SharingEstimate['commonLayers'] {
  const holders = new Map<Layer, number>();
  for (const { layers } of images) {
    for (const layer of new Set(layers)) holders.set(layer, (holders.get(layer) ?? 0) + 1);
  }
  const common = [...holders].filter(([, count]) => count > 1).map(([layer]) => layer);
  const sum = new Sum();
  for (const layer of common) {
    for (const { size } of copies.get(layer)?.keys() ?? []) sum.add(size);
  }
  return { layers: common.length, ...sum.value };
}

class Sum {
  #files = 0;
  #pageCache = 0;

  add(size: number): void {
    this.#files++;
    this.#pageCache += wholePages(size);
  }

  get value(): FileSum {
    return { files: this.#files, pageCache: this.#pageCache };
  }
}

function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
