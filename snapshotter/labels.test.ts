import fc from 'fast-check';
import { InvalidArgumentError } from './errors';
import { storableLabels, updateLabels } from './labels';

const current = { a: '1', b: '2' };

test('no mask and the mask "labels" both replace all labels', () => {
  expect(updateLabels(current, { c: '3' }, [])).toEqual({ c: '3' });
  expect(updateLabels(current, { c: '3' }, ['labels'])).toEqual({ c: '3' });
});

test('a mask of single labels sets those that are given and removes those that are not', () => {
  expect(updateLabels(current, { a: 'x', c: 'y' }, ['labels.a', 'labels.b'])).toEqual({ a: 'x' });
});

test('a key may hold dots and slashes', () => {
  const key = 'containerd.io/gc.root';
  expect(updateLabels({}, { [key]: 'now' }, [`labels.${key}`])).toEqual({ [key]: 'now' });
});

test('paths of a mask count in order', () => {
  expect(updateLabels(current, { c: '3' }, ['labels.a', 'labels'])).toEqual({ c: '3' });
});

test('any other field is refused', () => {
  for (const path of ['parent', 'name', 'kind', 'created_at', 'label', 'labels_x', '']) {
    expect(() => updateLabels(current, {}, [path])).toThrow(InvalidArgumentError);
  }
});

test('a label with an empty value is no label', () => {
  expect(storableLabels({ a: '', b: 'x' })).toEqual({ b: 'x' });
  expect(updateLabels(current, { a: '' }, ['labels.a'])).toEqual({ b: '2' });
});

test('key and value may have 4096 bytes together, not more', () => {
  expect(storableLabels({ ké: 'v'.repeat(4093) })).toHaveProperty('ké');
  expect(() => storableLabels({ ké: 'v'.repeat(4094) })).toThrow(InvalidArgumentError);
});

test('labels named like properties of objects are labels like others', () => {
  const labels = updateLabels({ toString: 'x' }, { constructor: 'y' }, [
    'labels.constructor',
    'labels.valueOf',
  ]);
  expect(Object.entries(labels).sort()).toEqual([
    ['constructor', 'y'],
    ['toString', 'x'],
  ]);
});

test('naming every key in the mask is the same as replacing all labels', () => {
  const labels = fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true });
  fc.assert(
    fc.property(labels, labels, (before, given) => {
      const paths = [...Object.keys(before), ...Object.keys(given)].map((key) => `labels.${key}`);
      fc.pre(paths.length > 0);
      expect(updateLabels(before, given, paths)).toEqual(updateLabels(before, given, ['labels']));
    }),
  );
});

test('all labels together have a bound', () => {
  const labels = (count: number): Record<string, string> =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v'.repeat(4000)]));
  expect(Object.keys(storableLabels(labels(200)))).toHaveLength(200);
  expect(() => storableLabels(labels(300))).toThrow('more than 1048576');
  expect(() => updateLabels(labels(200), labels(300), ['labels.k250', 'labels.k251'])).not.toThrow();
  const more = Object.keys(labels(300)).map((key) => `labels.${key}`);
  expect(() => updateLabels(labels(200), labels(300), more)).toThrow('more than 1048576');
});

test('paths that come a hundred thousand times cost no more than once', () => {
  const given = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, 'v']));
  const paths = Array.from({ length: 100_000 }, (_, index) => (index % 2 === 0 ? 'labels' : 'labels.k1'));
  expect(updateLabels({ old: 'x' }, given, paths)).toEqual(given);
});

test('a path that cannot be updated is named, but not at any length', () => {
  expect(() => updateLabels({}, {}, ['labels', 'x'.repeat(100_000)])).toThrow(
    /^field "x{80}\.\.\." \(100000/,
  );
});
