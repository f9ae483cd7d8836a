import type { Finding } from './finding';
import { describeCount, describeFindings, describeRest, findingJson } from './report';

const problem: Finding = {
  area: 'files',
  level: 'problem',
  what: 'an image without a row',
  where: '/r/\u001b[31m9.erofs',
  why: 'it takes room',
  remedy: 'remove it',
};
const repairable: Finding = { ...problem, repair: () => Promise.resolve() };
const note: Finding = { ...problem, area: 'kernel', level: 'note', where: '' };

test('findings are grouped by area, in order, and names cannot steer the terminal', () => {
  expect(describeFindings([repairable, problem, note]).split('\n')).toEqual([
    'kernel',
    '  note     an image without a row',
    '           it takes room',
    '           to do: remove it',
    'files',
    '  problem  an image without a row (/r/\\u001b[31m9.erofs)',
    '           it takes room',
    '           repair: remove it',
    '  problem  an image without a row (/r/\\u001b[31m9.erofs)',
    '           it takes room',
    '           to do: remove it',
  ]);
});

test('the last line counts problems alone, and those that can be repaired', () => {
  expect(describeCount([note])).toBe('Nothing found.');
  expect(describeCount([problem])).toBe('1 problem, none of which can be repaired from here');
  expect(describeCount([problem, repairable, note])).toBe(
    '2 problems, 1 of them can be repaired: ishare doctor --repair',
  );
});

test('after repairs it says what is left', () => {
  const repaired = { finding: repairable, outcome: 'repaired', reason: '' } as const;
  expect(describeRest([], [note])).toBe('Nothing found.');
  expect(describeRest([repaired], [note])).toBe('Nothing left: 1 problem repaired.');
  expect(describeRest([repaired], [problem])).toBe('1 problem left, 1 repaired.');
});

test('programs are told whether a finding can be repaired', () => {
  expect(findingJson(repairable)).toEqual({ ...problem, repairable: true });
});
