import type { Result } from '../result/result';
import { barChart } from './bar-chart';
import { comparisons, type Comparison } from './comparison';
import { curveSets, type CurveSet } from './curve';
import { formatRatio, formatValue } from './format';
import { lineChart } from './line-chart';
import { element, escape } from './markup';
import { sharingRows } from './sharing';
import { STYLE } from './style';

/** Benchmarks whose figures say what sharing saves. */
const MEMORY_BENCHES: readonly string[] = ['memory-reading', 'memory-running'];

/** One HTML file with all that it needs, light or dark as the reader's system is. */
export function htmlReport(result: Result): string {
  const tables = comparisons(result);
  const curves = curveSets(result);
  const sections = result.benches.map((bench) => {
    const { name, title, method } = bench;
    return element(
      'section',
      { id: name },
      [
        element('h2', {}, escape(title)),
        element('p', { class: 'method' }, escape(`${method} (${measuredWhen(bench)})`)),
        ...(MEMORY_BENCHES.includes(name) ? [sharingTable(result, name)] : []),
        ...tables.filter(({ bench }) => bench === name).map(comparisonSection),
        ...curves.filter(({ bench }) => bench === name).map(curveSection),
        skippedList(result, name),
      ].join('\n'),
    );
  });
  const body = [
    element('h1', {}, 'ishare-snapshotter beside its peers'),
    element('p', {}, escape(summaryOf(result))),
    element(
      'p',
      {},
      'Figures are medians with the least and the greatest value; × is the multiple of <b>ishare</b> in the same row; ' +
        '<span class="best">underlined</span> is the best of a row. Bars have a scale of their own for each case.',
    ),
    contents(result),
    ...sections,
    element('section', { id: 'setting' }, setting(result)),
  ];
  const head = [
    '<meta charset="utf-8"/>',
    '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
    element('title', {}, `ishare-snapshotter beside its peers, ${result.started.slice(0, 10)}`),
    element('style', {}, STYLE),
  ];
  return `<!doctype html>\n${element('html', { lang: 'en' }, `\n${element('head', {}, head.join('\n'))}\n${element('body', {}, body.join('\n'))}\n`)}\n`;
}

/** Which benchmark it was, and what of the program it measured when. */
export function measuredWhen({ name, started, seconds, revision }: Result['benches'][number]): string {
  return `${name}, ${started.slice(0, 16).replace('T', ' ')} UTC, revision ${revision}, took ${seconds.toFixed(0)} s`;
}

export function summaryOf({ started, machine, quick, runs, versions }: Result): string {
  const memory = (machine.memoryBytes / (1 << 30)).toFixed(0);
  return (
    `${started.slice(0, 16).replace('T', ' ')} UTC, ${quick ? 'quick mode, ' : ''}${runs === 1 ? 'one run' : `${runs} runs`} of each. ` +
    `${machine.processors} × ${machine.processor}, ${memory} GiB, Linux ${machine.kernel}, ${machine.distribution}, ` +
    `Node ${versions['node'] ?? ''}, ${machine.fileSystem}, read-ahead ${machine.readAheadKib} KiB everywhere, ` +
    `load ${machine.load.toFixed(1)} before the run.`
  );
}

function contents({ benches }: Result): string {
  const items = benches.map(({ name, title }) =>
    element('li', {}, element('a', { href: `#${name}` }, escape(title))),
  );
  return element('ul', { class: 'contents' }, items.join(''));
}

function comparisonSection(comparison: Comparison): string {
  const { metric, unit, subjects, rows } = comparison;
  const head = [element('th', {}, ''), ...subjects.map((subject) => element('th', {}, escape(subject)))];
  const lines = rows.map(({ case: name, cells }) =>
    element(
      'tr',
      {},
      [
        element('th', { scope: 'row' }, escape(name)),
        ...subjects.map((subject) => {
          const cell = cells.get(subject);
          if (cell === undefined) return element('td', {}, '–');
          const { median, least, greatest, count, ratio, best } = cell;
          const spread = count === 1 ? '' : `${formatValue(least, unit)} to ${formatValue(greatest, unit)}`;
          return element(
            'td',
            best ? { class: 'best' } : {},
            [
              element('b', {}, escape(formatValue(median, unit))),
              element('small', {}, escape(spread)),
              element('small', {}, escape(ratio === undefined ? '' : formatRatio(ratio))),
            ].join(''),
          );
        }),
      ].join(''),
    ),
  );
  const table = element('table', {}, element('tr', {}, head.join('')) + lines.join('\n'));
  return [
    element('h3', {}, escape(metric)),
    element('div', { class: 'wide' }, barChart(comparison)),
    element('details', {}, `<summary>Figures</summary>${element('div', { class: 'wide' }, table)}`),
  ].join('\n');
}

function sharingTable(result: Result, bench: string): string {
  const metrics = ['page cache', 'sum'] as const;
  return metrics
    .map((metric) => {
      const rows = sharingRows(result, bench, metric);
      if (rows.length === 0) return '';
      const limited = metric === 'page cache' && rows.some(({ limit }) => limit !== undefined);
      const names = ['', 'unshared', 'shared', 'reduction', ...(limited ? ['limit', 'of it reached'] : [])];
      const lines = rows.map(({ pair, unshared, shared, reduction, limit, reached }) => {
        const figures = [
          formatValue(unshared, 'bytes'),
          formatValue(shared, 'bytes'),
          formatValue(reduction, 'fraction'),
          ...(limited
            ? [
                limit === undefined ? '–' : formatValue(limit, 'bytes'),
                reached === undefined ? '–' : formatValue(reached, 'fraction'),
              ]
            : []),
        ];
        return element(
          'tr',
          {},
          element('th', { scope: 'row' }, escape(pair)) +
            figures.map((figure) => element('td', {}, escape(figure))).join(''),
        );
      });
      const head = element('tr', {}, names.map((name) => element('th', {}, escape(name))).join(''));
      return (
        element('h3', {}, escape(`What sharing saves: ${metric}`)) +
        element('div', { class: 'wide' }, element('table', {}, head + lines.join('\n')))
      );
    })
    .join('\n');
}

function curveSection(set: CurveSet): string {
  return [
    element('h3', {}, escape(`${set.metric} by ${set.over}`)),
    element('div', { class: 'wide' }, lineChart(set)),
  ].join('\n');
}

function skippedList({ skipped }: Result, name: string): string {
  const items = skipped
    .filter(({ bench }) => bench === name || bench === 'all')
    .map(({ what, why }) => element('li', {}, escape(`${what}: ${why}`)));
  return items.length === 0
    ? ''
    : element(
        'details',
        {},
        `<summary>Left out: ${items.length}</summary>${element('ul', {}, items.join(''))}`,
      );
}

function setting({ versions }: Result): string {
  const rows = Object.entries(versions).map(([name, version]) =>
    element('tr', {}, element('th', { scope: 'row' }, escape(name)) + element('td', {}, escape(version))),
  );
  return element('h2', {}, 'What took part') + element('table', {}, rows.join('\n'));
}
