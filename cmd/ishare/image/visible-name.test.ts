import { jsonName, visibleName } from './visible-name';

test('shows text as it is', () => {
  expect(visibleName(Buffer.from('größe ☃ 𝄞'))).toBe('größe ☃ 𝄞');
});

test('escapes what would steer a terminal', () => {
  expect(visibleName(Buffer.from('a\n\u001b[2J'))).toBe('a\\u000a\\u001b[2J');
});

test('escapes bytes that are no UTF-8, and nothing else', () => {
  const name = Buffer.concat([Buffer.from('ä'), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('☃')]);
  expect(visibleName(name)).toBe('ä\\xc3(\\xff☃');
});

test('tells names in JSON without loss', () => {
  expect(jsonName('name', Buffer.from('plain'))).toEqual({ name: 'plain' });
  expect(jsonName('name', Buffer.from([0xff]))).toEqual({ name_base64: '/w==' });
});
