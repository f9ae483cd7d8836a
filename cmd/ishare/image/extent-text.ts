import { ALGORITHM_NAMES } from '../../../erofs/format/compression';
import type { DataExtent } from '../../../erofs/image';

/** Where an extent lies, and how it is coded. */
interface Placement {
  /** Bytes from the start of `where`. */
  readonly position?: number;
  /** Bytes there. */
  readonly size?: number;
  readonly where: string;
  readonly coding: string;
  readonly partial?: boolean;
}

function placementOf(extent: DataExtent): Placement {
  switch (extent.kind) {
    case 'hole':
      return { where: 'hole', coding: '-' };
    case 'fragment':
      return { where: 'packed file', coding: '-', position: extent.offset, size: extent.length };
    case 'stored': {
      const where = extent.inline ? 'inline' : extent.device === 0 ? 'image' : `device ${extent.device}`;
      return { where, coding: '-', position: extent.position, size: extent.length };
    }
    case 'pcluster': {
      const coding = typeof extent.coding === 'string' ? extent.coding : ALGORITHM_NAMES[extent.coding];
      const { position, size, partial } = extent;
      return { where: extent.inline ? 'inline' : 'image', coding, position, size, partial };
    }
  }
}

const NUMBER_WIDTH = 14;

export const EXTENT_HEADER = `${['EXTENT', 'OFFSET', 'LENGTH', 'POSITION', 'SIZE'].map((title, index) => title.padStart(index === 0 ? 6 : NUMBER_WIDTH)).join(' ')}  WHERE        CODING`;

/** One line of the table under EXTENT_HEADER: number, bytes in the file, bytes on disk, and what they are. */
export function extentLine(number: number, extent: DataExtent): string {
  const { position, size, where, coding, partial } = placementOf(extent);
  const cells = [extent.start, extent.length, position ?? '-', size ?? '-'];
  const numbers = cells.map((value) => String(value).padStart(NUMBER_WIDTH)).join(' ');
  const shown = partial === true ? `${coding}, partial` : coding;
  return `${String(number).padStart(6)} ${numbers}  ${where.padEnd(12)} ${shown}`;
}

export function extentJson(extent: DataExtent): Readonly<Record<string, unknown>> {
  const { start, length } = extent;
  return { offset: start, length, ...placementOf(extent) };
}
