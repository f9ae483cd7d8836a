import type { Result } from '../result/result';
import { comparisons, type Cell } from './comparison';
import { curveSets } from './curve';
import { formatRatio, formatValue } from './format';
import { measuredWhen, summaryOf } from './html-report';
import { sharingRows } from './sharing';

export const BEGIN = '<!-- bench-tables -->';
export const END = '<!-- /bench-tables -->';

/** A text that has no place for the tables. */
export class MarkersMissingError extends Error {
  override readonly name = 'MarkersMissingError';
}

/** Replaces what is between the markers. */
export function withTables(text: string, result: Result): string {
  const begin = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (begin < 0 || end < begin) throw new MarkersMissingError(`no lines ${BEGIN} and ${END}`);
  return `${text.slice(0, begin + BEGIN.length)}\n\n${markdownTables(result)}\n\n${text.slice(end)}`;
}

/** All tables of a run: medians, the spread in brackets, multiples of ours behind them. */
export function markdownTables(result: Result): string {
  const parts = [summaryOf(result)];
  const tables = comparisons(result);
  const curves = curveSets(result);
  for (const bench of result.benches) {
    const { name, title } = bench;
    parts.push(`### ${title}`, `_${measuredWhen(bench)}_`);
    for (const metric of ['page cache', 'sum'] as const) {
      if (!name.startsWith('memory-')) continue;
      const rows = sharingRows(result, name, metric);
      if (rows.length === 0) continue;
      const lines = rows.map(({ pair, unshared, shared, reduction, limit, reached }) => [
        pair,
        formatValue(unshared, 'bytes'),
        formatValue(shared, 'bytes'),
        formatValue(reduction, 'fraction'),
        limit === undefined ? '' : formatValue(limit, 'bytes'),
        reached === undefined ? '' : formatValue(reached, 'fraction'),
      ]);
      const head = [`sharing, ${metric}`, 'unshared', 'shared', 'reduction', 'limit', 'of it reached'];
      parts.push(table(head, lines));
    }
    for (const { bench: of, metric, unit, subjects, rows } of tables) {
      if (of !== name) continue;
      const lines = rows.map(({ case: label, cells }) => [
        label,
        ...subjects.map((subject) => {
          const cell = cells.get(subject);
          return cell === undefined ? '–' : cellText(cell, (value) => formatValue(value, unit));
        }),
      ]);
      parts.push(table([metric, ...subjects], lines));
    }
    const laws = curves.filter((curve) => curve.bench === name);
    if (laws.length > 0) {
      const lines = laws.flatMap(({ over, metric, unit, curves: found }) =>
        found.map(({ subject, points, law }) => [
          `${metric} by ${over}`,
          subject,
          points.map(({ x, median }) => `${x}: ${formatValue(median, unit)}`).join(', '),
          law === undefined ? '' : law.exponent.toFixed(2),
        ]),
      );
      parts.push(table(['what grows', 'subject', 'medians', 'exponent'], lines));
    }
  }
  const skipped = result.skipped.map(({ bench, what, why }) => `- ${bench}: ${what}: ${why}`);
  if (skipped.length > 0) parts.push(`Left out:\n\n${skipped.join('\n')}`);
  const versions = Object.entries(result.versions).map(([name, version]) => `${name} ${version}`);
  parts.push(`Versions: ${versions.join(', ')}.`);
  return parts.join('\n\n');
}

function cellText(
  { median, least, greatest, count, ratio, best }: Cell,
  show: (value: number) => string,
): string {
  const value = best ? `**${show(median)}**` : show(median);
  const spread = count === 1 ? '' : ` (${show(least)} to ${show(greatest)})`;
  return `${value}${spread}${ratio === undefined ? '' : ` ${formatRatio(ratio)}`}`;
}

function table(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [row(head), row(head.map(() => '---')), ...lines.map(row)].join('\n');
}
