import { SAMPLE } from '../testing/sample-result';
import { BEGIN, END, MarkersMissingError, withTables } from './markdown-tables';

test('tables go between the markers, the second time too', () => {
  const once = withTables(`before\n\n${BEGIN}\nold\n${END}\n\nafter\n`, SAMPLE);
  expect(once).toContain('| redis | 271 MiB | 161 MiB | 40.6 % | 150 MiB | 90.9 % |');
  expect(once).toContain('**80.0 MiB** (80.0 MiB to 80.0 MiB) × 0.50');
  expect(once).not.toContain('old');
  expect(withTables(once, SAMPLE)).toBe(once);
});

test('a file without markers is left alone', () => {
  expect(() => withTables('nothing', SAMPLE)).toThrow(MarkersMissingError);
});
