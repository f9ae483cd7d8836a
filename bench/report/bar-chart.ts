import { OURS } from '../subject/mount-subjects';
import type { Comparison, Row } from './comparison';
import { formatValue } from './format';
import { element, escape } from './markup';

const WIDTH = 720;
const LABELS = 170;
const VALUES = 120;
const BAR = 16;
const GAP = 4;
const HEADING = 22;

/** Horizontal bars with whiskers from the least to the greatest value, a group for each case on a scale of its own. */
export function barChart(comparison: Comparison, rows: readonly Row[] = comparison.rows): string {
  let top = 0;
  const parts: string[] = [];
  for (const { case: name, cells } of rows) {
    const greatest = Math.max(...[...cells.values()].map((cell) => cell.greatest), Number.MIN_VALUE);
    const scale = (value: number): number => (Math.max(value, 0) / greatest) * (WIDTH - LABELS - VALUES);
    parts.push(element('text', { x: 0, y: top + 15, class: 'case' }, escape(name)));
    top += HEADING;
    for (const [subject, cell] of cells) {
      const middle = top + BAR / 2;
      parts.push(
        element('text', { x: LABELS - 8, y: middle + 4, class: 'label' }, escape(subject)),
        element('rect', {
          ...{ x: LABELS, y: top, width: scale(cell.median).toFixed(1), height: BAR, rx: 2 },
          class: kindOf(subject),
        }),
        element('line', {
          ...{ x1: (LABELS + scale(cell.least)).toFixed(1), x2: (LABELS + scale(cell.greatest)).toFixed(1) },
          ...{ y1: middle, y2: middle, class: 'spread' },
        }),
        element(
          'text',
          { x: (LABELS + scale(cell.greatest) + 6).toFixed(1), y: middle + 4, class: 'value' },
          escape(formatValue(cell.median, comparison.unit)),
        ),
      );
      top += BAR + GAP;
    }
    top += GAP * 2;
  }
  const title = `${comparison.bench}: ${comparison.metric}`;
  return element(
    'svg',
    { xmlns: 'http://www.w3.org/2000/svg', viewBox: `0 0 ${WIDTH} ${top}`, role: 'img', 'aria-label': title },
    parts.join('\n'),
  );
}

function kindOf(subject: string): string {
  if (subject === OURS) return 'bar ours';
  if (subject.startsWith(OURS)) return 'bar variant';
  return subject === 'limit' || subject === 'all files' ? 'bar yardstick' : 'bar peer';
}
