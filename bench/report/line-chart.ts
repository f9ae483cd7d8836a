import type { CurveSet } from './curve';
import { formatValue } from './format';
import { element, escape } from './markup';

const WIDTH = 720;
const HEIGHT = 320;
const LEFT = 90;
const RIGHT = 20;
const TOP = 16;
const BOTTOM = 44;

/** Curves with both axes logarithmic, where a power law is a straight line. Values that have no logarithm are left out. */
export function lineChart({ bench, over, metric, unit, curves }: CurveSet): string {
  const shown = curves.map((curve) => ({
    ...curve,
    points: curve.points.filter(({ median }) => median > 0),
  }));
  const all = shown.flatMap(({ points }) => points);
  const x = axis(
    all.map((point) => point.x),
    LEFT,
    WIDTH - RIGHT,
  );
  const y = axis(
    all.map((point) => point.median),
    HEIGHT - BOTTOM,
    TOP,
  );
  const parts: string[] = [];
  for (const value of y.ticks) {
    const at = y.place(value);
    parts.push(
      element('line', { x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at, class: 'grid' }),
      element('text', { x: LEFT - 8, y: at + 4, class: 'label' }, escape(formatValue(value, unit))),
    );
  }
  for (const value of new Set(all.map((point) => point.x))) {
    const attributes = { x: x.place(value), y: HEIGHT - BOTTOM + 18, class: 'tick' };
    parts.push(element('text', attributes, escape(formatValue(value, 'count').replace(/\.0+$/, ''))));
  }
  parts.push(element('text', { x: (LEFT + WIDTH) / 2, y: HEIGHT - 6, class: 'tick' }, escape(over)));
  for (const [index, { subject, points, law }] of shown.entries()) {
    const path = points.map(({ x: number, median }) => `${x.place(number)},${y.place(median)}`);
    const kind = `curve curve-${index % 4}`;
    parts.push(element('polyline', { points: path.join(' '), class: kind }));
    for (const point of points) {
      parts.push(element('circle', { cx: x.place(point.x), cy: y.place(point.median), r: 3.5, class: kind }));
    }
    const text = law === undefined ? subject : `${subject}: ~ n^${law.exponent.toFixed(2)}`;
    parts.push(
      element(
        'text',
        { x: LEFT + 12, y: TOP + 14 + index * 16, class: `legend legend-${index % 4}` },
        escape(text),
      ),
    );
  }
  return element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: 'img',
      'aria-label': `${bench}: ${metric} by ${over}`,
    },
    parts.join('\n'),
  );
}

interface Axis {
  place(value: number): number;
  /** Powers of ten within, or the ends where there are none. */
  readonly ticks: readonly number[];
}

function axis(values: readonly number[], from: number, to: number): Axis {
  const least = Math.min(...values);
  const greatest = Math.max(...values);
  const low = Math.log10(least);
  // A curve that is level, or one point alone, still needs a scale.
  const span = Math.log10(greatest) - low || 1;
  const ticks: number[] = [];
  for (let power = Math.ceil(low); power <= Math.log10(greatest); power++) ticks.push(10 ** power);
  return {
    place: (value) => Math.round((from + ((Math.log10(value) - low) / span) * (to - from)) * 10) / 10,
    ticks: ticks.length > 1 ? ticks : [least, greatest],
  };
}
