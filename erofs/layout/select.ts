import { DATA_LAYOUT, type DataLayout } from '../format/inode';
import { chunkLayout } from './chunk';
import { compressedLayout } from './compressed';
import type { DataLayoutReader } from './data-layout';
import { flatLayout } from './flat';

/** The reader of each layout. */
export const dataLayouts: Readonly<Record<DataLayout, DataLayoutReader>> = {
  [DATA_LAYOUT.FLAT_PLAIN]: flatLayout,
  [DATA_LAYOUT.COMPRESSED_FULL]: compressedLayout,
  [DATA_LAYOUT.FLAT_INLINE]: flatLayout,
  [DATA_LAYOUT.COMPRESSED_COMPACT]: compressedLayout,
  [DATA_LAYOUT.CHUNK_BASED]: chunkLayout,
};
