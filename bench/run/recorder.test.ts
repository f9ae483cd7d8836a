import { Recorder } from './recorder';

const key = { bench: 'b', case: 'c', subject: 's', metric: 'm', unit: 'count', better: 'less' } as const;

test('values of one thing come together, also where runs take turns; curves keep their points apart', () => {
  const recorder = new Recorder();
  for (const value of [1, 2]) {
    recorder.add(key, value);
    recorder.add({ ...key, subject: 'other' }, value * 10);
    recorder.add({ ...key, x: 5 }, value * 100);
  }
  expect(recorder.measurements.map(({ values }) => values)).toEqual([
    [1, 2],
    [10, 20],
    [100, 200],
  ]);
});

test('what is skipped again and again is told once', () => {
  const recorder = new Recorder();
  recorder.skip({ bench: 'b', what: 'w', why: 'first' });
  recorder.skip({ bench: 'b', what: 'w', why: 'again' });
  expect(recorder.skipped).toHaveLength(1);
});

test('what is known already comes first, and is gone on with', () => {
  const recorder = new Recorder({
    measurements: [{ ...key, values: [1, 2] }],
    skipped: [{ bench: 'b', what: 'w', why: 'x' }],
  });
  recorder.add({ ...key, case: 'later' }, 4);
  recorder.add(key, 3);
  expect(recorder.measurements.map(({ values }) => values)).toEqual([[1, 2, 3], [4]]);
  expect(recorder.skipped).toHaveLength(1);
});
