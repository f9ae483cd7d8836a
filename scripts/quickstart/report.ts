import Table from 'cli-table3';
import { colors } from '../../cmd/colors';
import type { ImageMeasurement, Measurement } from './measurement';

/** Beyond this number of images their programs are summed up in one column. */
const COLUMNS = 3;

/** The table that the quickstart is about, and what it means. */
export function report(unshared: Measurement, shared: Measurement): string {
  const { images, content } = unshared;
  const table = new Table({
    head: [
      '',
      images.length === 1
        ? 'page cache after\nreading the image'
        : `page cache after\nreading ${count(images.length)}`,
      'saved',
      ...programHeads(images),
    ].map((text) => colors.bold(text)),
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right'],
  });
  table.push(
    ['without sharing', mebibytes(unshared.cached), '', ...programCells(unshared)],
    [
      colors.green('with sharing'),
      colors.green(mebibytes(shared.cached)),
      colors.green(percent(1 - shared.cached / unshared.cached)),
      ...programCells(shared),
    ],
    [
      colors.dim('limit: each distinct file once'),
      colors.dim(mebibytes(content.uniqueBytes)),
      colors.dim(percent(1 - content.uniqueBytes / content.allBytes)),
      ...programHeads(images).map(() => ''),
    ],
  );
  const names = images.map(
    ({ reference, archive }, index) => `  ${letter(index)}  ${reference}  ${colors.dim(archive)}`,
  );
  const remarks = shared.images.flatMap(({ remark }, index) =>
    remark === undefined ? [] : [`  ${letter(index)}  no figures for its program: ${remark}`],
  );
  return [
    ...names,
    table.toString(),
    meaning(unshared, shared),
    ...remarks,
    ...blurred(unshared, shared),
  ].join('\n');
}

function meaning(unshared: Measurement, shared: Measurement): string {
  const { content } = unshared;
  const saved = Math.max(0, unshared.cached - shared.cached);
  return [
    `There are ${content.files} files in the ${count(unshared.images.length)}, ${mebibytes(content.allBytes)}. ` +
      'In one domain, files with the same content are one set of',
    `pages, whatever image or layer they come from: ${mebibytes(saved)} less page cache here. Rss is what a program`,
    'maps of its files, Pss its share of that: pages that two programs map count half for each.',
  ].join('\n');
}

/** Differences between passes that are larger than this fraction make the figures doubtful. */
const BLUR_LIMIT = 0.05;

function blurred(...measurements: readonly Measurement[]): string[] {
  const worst = Math.max(...measurements.map(({ blur }) => blur));
  if (!(worst > BLUR_LIMIT)) return [];
  return [
    colors.yellow(
      `Other programs used the page cache meanwhile: passes differ by ${percent(worst)}. Try again on a quiet machine.`,
    ),
  ];
}

function programHeads(images: readonly ImageMeasurement[]): string[] {
  if (images.length > COLUMNS) return ['programs, mapped\nfiles: Rss / Pss'];
  return images.map((_, index) => `program of ${letter(index)},\nfiles: Rss / Pss`);
}

function programCells({ images }: Measurement): string[] {
  const mapped = images.map((image) => image.mapped);
  if (images.length <= COLUMNS) {
    return mapped.map((memory) => (memory === undefined ? '-' : pair(memory.rss, memory.pss)));
  }
  const known = mapped.filter((memory) => memory !== undefined);
  const sum = (field: 'rss' | 'pss'): number => known.reduce((total, memory) => total + memory[field], 0);
  return [known.length === 0 ? '-' : pair(sum('rss'), sum('pss'))];
}

function pair(rss: number, pss: number): string {
  return `${(rss / MIB).toFixed(1)} / ${(pss / MIB).toFixed(1)} MiB`;
}

const MIB = 1 << 20;

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}

function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

function letter(index: number): string {
  return String.fromCharCode('A'.charCodeAt(0) + (index % 26));
}

function count(images: number): string {
  if (images === 1) return 'image';
  return images === 2 ? 'two images' : `${images} images`;
}
