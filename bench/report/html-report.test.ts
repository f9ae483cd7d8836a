import { SAMPLE } from '../testing/sample-result';
import { countElements } from '../testing/well-formed';
import { htmlReport } from './html-report';

test('the report is well-formed, whatever the names hold, and needs nothing from elsewhere', () => {
  const html = htmlReport(SAMPLE);
  const counts = countElements(html);
  expect(counts.get('svg')).toBe(2);
  expect(counts.get('section')).toBe(3);
  expect(html).not.toMatch(/(src|href)="(?!#)/);
  expect(html).toContain('prefers-color-scheme: dark');
  expect(html).toContain('a &lt;peer&gt;');
});

test('it names the machine, the versions, what was left out, and the exponent of a curve', () => {
  const html = htmlReport(SAMPLE);
  for (const text of ['Linux 6.18.0', 'peer &quot;x&quot;', 'absent &amp; co: not &lt;here&gt;', 'n^1.00']) {
    expect(html).toContain(text);
  }
});
