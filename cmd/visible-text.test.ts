import { visibleText } from './visible-text';

test('control characters are written as escapes, all else stays', () => {
  expect(visibleText('a\nb\u001b[31m\u007f\u009b')).toBe('a\\u000ab\\u001b[31m\\u007f\\u009b');
  expect(visibleText('sha256:0f é 日本 "quoted" \\u000a')).toBe('sha256:0f é 日本 "quoted" \\u000a');
});
