import { SAMPLE } from '../testing/sample-result';
import { resultSchema } from './result';

test('a result survives JSON', () => {
  expect(resultSchema.parse(JSON.parse(JSON.stringify(SAMPLE)))).toEqual(SAMPLE);
});

test('results of another schema, without values or with unknown keys are refused', () => {
  const [first] = SAMPLE.measurements;
  for (const wrong of [
    { ...SAMPLE, schema: 1 },
    { ...SAMPLE, measurements: [{ ...first, values: [] }] },
    { ...SAMPLE, more: true },
  ]) {
    expect(resultSchema.safeParse(wrong).success).toBe(false);
  }
});
