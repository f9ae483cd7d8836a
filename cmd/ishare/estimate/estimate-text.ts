import { formatBytes, formatTable } from '../output';
import { visibleName } from '../image/visible-name';
import type { Layer } from './layer-files';
import type { OpenImage, ReadImage } from './layer-source';
import {
  savedPercent,
  type FileCopy,
  type ImageSum,
  type RepeatedContent,
  type SharingEstimate,
} from './sharing-estimate';

/** Copies of one content whose paths are shown. */
const COPIES_SHOWN = 4;

/** The estimate for people. `top`: so many of the contents that save most. */
export function estimateText(estimate: SharingEstimate, images: readonly ReadImage[], top: number): string {
  return [
    imageTable(estimate, images),
    '',
    ...sumLines(estimate),
    ...images.flatMap(({ layers }, index) => faultNotes(letterOf(index), layers)),
    ...topLines(estimate.repeated, top),
  ].join('\n');
}

function imageTable(estimate: SharingEstimate, images: readonly ReadImage[]): string {
  const rows = images.map(({ image }, index) => ({ index, image, sum: estimate.images[index] ?? NOTHING }));
  return formatTable(
    [
      { title: '', value: ({ index }) => letterOf(index) },
      { title: 'IMAGE', value: ({ image }) => titleOf(image) },
      { title: 'LAYERS', align: 'right', value: ({ image }) => String(image.layers.length) },
      { title: 'FILES', align: 'right', value: ({ sum }) => String(sum.files) },
      { title: 'PAGE CACHE', align: 'right', value: ({ sum }) => formatBytes(sum.pageCache) },
      { title: 'FILES IN OTHERS', align: 'right', value: ({ sum }) => String(sum.inOthers.files) },
      { title: 'THEIR PAGE CACHE', align: 'right', value: ({ sum }) => formatBytes(sum.inOthers.pageCache) },
    ],
    rows,
  );
}

const NOTHING: ImageSum = { files: 0, pageCache: 0, inOthers: { files: 0, pageCache: 0 } };

function titleOf({ label, name, platform }: OpenImage): string {
  const more = [name, platform].filter((word) => word !== undefined && !label.endsWith(`#${word}`));
  return more.length === 0 ? label : `${label} (${more.join(', ')})`;
}

function sumLines(estimate: SharingEstimate): string[] {
  const { alone, shared, commonLayers, repeated } = estimate;
  const saved = alone.pageCache - shared.pageCache;
  const lines = [
    `Page cache of all files: ${formatBytes(alone.pageCache)}, in one domain ${formatBytes(shared.pageCache)}.`,
    `Sharing saves ${formatBytes(saved)} (${savedPercent(estimate).toFixed(1)} %): ${shared.files} contents, ${repeated.length} of them in several files.`,
  ];
  if (commonLayers.layers > 0) {
    const which = commonLayers.layers === 1 ? '1 layer' : `${commonLayers.layers} layers`;
    lines.push(
      `${which} in common, with ${commonLayers.files} files of ${formatBytes(commonLayers.pageCache)}: counted once in either sum.`,
    );
  }
  return lines;
}

function faultNotes(name: string, layers: readonly Layer[]): string[] {
  const notes: string[] = [];
  for (const { faults } of layers) {
    if (faults === undefined) continue;
    const { files, missing, wrong } = faults;
    const which = (count: number): string => `${count} of the ${files} files of ${name}`;
    if (missing > 0) {
      notes.push(`Note: ${which(missing)} have no fingerprint. As the image is, they would not be shared.`);
    }
    if (wrong > 0) {
      notes.push(`Note: ${which(wrong)} have a wrong fingerprint. "ishare image fsck" names them.`);
    }
  }
  return notes;
}

function topLines(repeated: readonly RepeatedContent[], top: number): string[] {
  const shown = repeated.slice(0, top);
  if (shown.length === 0) return [];
  const rows = shown.flatMap((content): TopRow[] => {
    const [first = '', ...others] = pathLines(content.copies);
    return [{ content, path: first }, ...others.map((path) => ({ path }))];
  });
  const table = formatTable<TopRow>(
    [
      { title: 'SAVES', align: 'right', value: ({ content }) => (content ? formatBytes(content.saved) : '') },
      {
        title: 'FILES',
        align: 'right',
        value: ({ content }) => (content ? String(content.copies.length) : ''),
      },
      { title: 'PATHS', value: ({ path }) => path },
    ],
    rows,
  );
  return ['', table];
}

/** A line of the table: a content with its first path, or one more path. */
interface TopRow {
  readonly content?: RepeatedContent;
  readonly path: string;
}

function pathLines(copies: readonly FileCopy[]): string[] {
  const lines = copies.slice(0, COPIES_SHOWN).map(({ paths }) => {
    const letters = [...paths.keys()].map(letterOf).join(' ');
    const [path = ''] = paths.values();
    return `${letters} ${visibleName(Buffer.from(path, 'latin1'))}`;
  });
  return copies.length > COPIES_SHOWN ? [...lines, `and ${copies.length - COPIES_SHOWN} more`] : lines;
}

/** A to Z, then AA and so on. */
function letterOf(index: number): string {
  const last = String.fromCharCode(0x41 + (index % 26));
  return index < 26 ? last : letterOf(Math.floor(index / 26) - 1) + last;
}
