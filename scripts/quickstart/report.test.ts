import { report } from './report';
import type { Measurement } from './measurement';

const MIB = 1 << 20;

function measurement(cached: number, pss: number): Measurement {
  return {
    images: ['one', 'two'].map((reference) => ({
      reference,
      archive: `${reference}.tar`,
      mapped: { rss: 10 * MIB, pss },
    })),
    cached,
    blur: 0,
    content: { files: 7, allBytes: 64 * MIB, uniqueBytes: 32 * MIB },
  };
}

function plain(text: string): string {
  // eslint-disable-next-line no-control-regex -- colours
  return text.replace(/\u001b\[\d+m/g, '');
}

test('the table holds what was measured and what could be saved at best', () => {
  const text = plain(report(measurement(66 * MIB, 10 * MIB), measurement(33 * MIB, 5 * MIB)));
  expect(text).toMatch(/without sharing .* 66\.0 MiB .* 10\.0 \/ 10\.0 MiB/);
  expect(text).toMatch(/with sharing .* 33\.0 MiB .* 50 % .* 10\.0 \/ 5\.0 MiB/);
  expect(text).toMatch(/limit.* 32\.0 MiB .* 50 %/);
});

test('an image whose program did not start has no figures and a remark', () => {
  const broken = {
    ...measurement(MIB, MIB),
    images: [{ reference: 'one', archive: 'one.tar', remark: 'it did not start: why' }],
  };
  const text = plain(report(broken, broken));
  expect(text).toContain('no figures for its program: it did not start: why');
  expect(text).toMatch(/without sharing .* -/);
});

test('figures that other programs blurred are marked as doubtful', () => {
  const steady = measurement(40 * MIB, MIB);
  expect(report(steady, steady)).not.toContain('Try again');
  expect(report(steady, { ...steady, blur: 0.2 })).toContain('passes differ by 20 %');
});
