import { humanFormat, machineFormat } from './logger';

const LEVEL = Symbol.for('level');
const MESSAGE = Symbol.for('message');

type Format = ReturnType<typeof humanFormat>;

/** The line that winston would print. */
function line(format: Format, level: string, message: string, details: Record<string, unknown> = {}): string {
  const info = format.transform({ level, message, [LEVEL]: level, ...details }, {});
  if (typeof info === 'boolean') throw new Error('the format dropped the entry');
  return String(info[MESSAGE]);
}

// eslint-disable-next-line no-control-regex
const plain = (text: string): string => text.replace(/\u001b\[\d+m/g, '');

test('machines get one JSON object a line', () => {
  const text = line(machineFormat(), 'info', 'ready', { address: '/run/s', stale: 2, passthrough: true });
  expect(text).not.toContain('\n');
  expect(JSON.parse(text)).toMatchObject({
    level: 'info',
    message: 'ready',
    address: '/run/s',
    stale: 2,
    passthrough: true,
  });
});

test('people get time, level, message and words', () => {
  const details = { count: 3, plain: 'word', spaced: 'two words', list: ['a', 'b'], big: 5n };
  expect(plain(line(humanFormat(), 'warn', 'something happened', details))).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} warn something happened count=3 plain=word spaced="two words" list=\["a","b"\] big="5"$/,
  );
});

describe.each([
  ['people', humanFormat],
  ['machines', machineFormat],
] as const)('for %s', (_who, makeFormat) => {
  const cause = new Error('the disk is gone');
  const error = new Error('cannot attach', { cause });

  test('an error is its message and those of its causes', () => {
    const text = line(makeFormat(), 'warn', 'snapshot is damaged', { error });
    expect(text).toContain('cannot attach: the disk is gone');
    expect(text).not.toContain('logger.test');
  });

  test('an error at level error comes with its stack', () => {
    const text = line(makeFormat(), 'error', 'a call failed', { error });
    expect(text).toContain('cannot attach');
    expect(text).toContain('the disk is gone');
    expect(text).toContain('logger.test');
    expect(text).not.toContain('\n');
  });

  test('names do not break the line or steer the terminal', () => {
    const text = line(makeFormat(), 'info', 'snapshot "a\nb\u001b[2J"', { key: 'c\u001b[2J\nd' });
    expect(text).not.toContain('\n');
    expect(text).not.toContain('\u001b[2J');
  });
});
