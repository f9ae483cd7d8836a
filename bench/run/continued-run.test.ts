import { SAMPLE } from '../testing/sample-result';
import { keptOf, NotToBeContinuedError } from './continued-run';

/** The same machine, told in another order and busier. */
const now = {
  ...{ quick: SAMPLE.quick, runs: SAMPLE.runs },
  machine: {
    ...Object.fromEntries(Object.entries(SAMPLE.machine).reverse()),
    load: 9,
  } as typeof SAMPLE.machine,
};

test('all is kept but what is measured again', () => {
  expect(keptOf(SAMPLE, now, [])).toEqual(SAMPLE);
  const kept = keptOf(SAMPLE, now, ['memory-reading']);
  expect(kept.benches.map(({ name }) => name)).toEqual(['scale-engine']);
  expect(kept.measurements.map(({ bench }) => bench)).toEqual(Array(3).fill('scale-engine'));
  expect(kept.skipped).toEqual([]);
});

test('a run of another kind or on another machine is refused', () => {
  for (const other of [
    { ...now, quick: !now.quick },
    { ...now, runs: now.runs + 1 },
    { ...now, machine: { ...now.machine, kernel: 'another' } },
  ])
    expect(() => keptOf(SAMPLE, other, [])).toThrow(NotToBeContinuedError);
});
