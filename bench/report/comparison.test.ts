import { SAMPLE } from '../testing/sample-result';
import { comparisons } from './comparison';
import { curveSets } from './curve';
import { sharingRows } from './sharing';

test('ratios are to ours, and a peer that is better is marked as such; a limit is no peer', () => {
  const [table] = comparisons(SAMPLE);
  const cells = table!.rows[0]!.cells;
  expect(cells.get('ishare')).toMatchObject({ ratio: undefined, best: false });
  expect(cells.get('a <peer>')).toMatchObject({ best: true });
  expect(cells.get('a <peer>')!.ratio).toBeCloseTo(80 / 161);
  expect(cells.get('limit')!.best).toBe(false);
});

test('what sharing saves is told beside the limit', () => {
  const [row] = sharingRows(SAMPLE, 'memory-reading', 'page cache');
  expect(row!.reduction).toBeCloseTo(1 - 161 / 271);
  expect(row!.reached).toBeCloseTo((271 - 161) / (271 - 150));
});

test('curves have a fitted exponent and are in no table', () => {
  const [set] = curveSets(SAMPLE);
  expect(set!.curves[0]!.law!.exponent).toBeCloseTo(1);
  expect(comparisons(SAMPLE).map(({ bench }) => bench)).toEqual(['memory-reading']);
});
