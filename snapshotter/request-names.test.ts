import { InvalidArgumentError } from './errors';
import { brief, checkNames, namesIn } from './request-names';

test('the snapshots that a request is about are its key, its name and that in its info', () => {
  expect(namesIn({ key: 'k', name: 'n', parent: 'p' })).toEqual(['k', 'n']);
  expect(namesIn({ info: { name: 'i' }, update_mask: null })).toEqual(['i']);
  expect(namesIn({ info: null })).toEqual([]);
  expect(namesIn({ key: '' })).toEqual([]);
});

test.each(['key', 'name', 'parent'])('a %s of more than 4096 bytes is refused, briefly', (field) => {
  expect(() => checkNames({ [field]: 'é'.repeat(2048) })).not.toThrow();
  const failure = (): void => checkNames({ [field]: 'é'.repeat(2049) });
  expect(failure).toThrow(InvalidArgumentError);
  expect(failure).toThrow(/^.{100,700}$/);
});

test('the log gets small requests as they are and the beginning of others', () => {
  const small = { key: 'k' };
  expect(brief(small)).toBe(small);
  const text = brief({ key: 'k', labels: { l: 'x'.repeat(10_000) } });
  expect(text).toMatch(/^\{"key":"k","labels":\{"l":"x+\.\.\.$/);
  expect((text as string).length).toBe(2003);
});
