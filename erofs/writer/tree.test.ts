import { entryNameBytes, shownName, toEntryName } from './tree';

test.each(['', '.', '..', 'a/b', 'a\0b', 'x'.repeat(256)])('%j is no name', (name) => {
  expect(() => toEntryName(Buffer.from(name))).toThrow(RangeError);
});

test('names keep their bytes, sort by them and are shown as UTF-8', () => {
  const names = [Buffer.from('ü'), Buffer.of(0xff, 0x80), Buffer.from('z'), Buffer.from('x'.repeat(255))];
  const keys = names.map(toEntryName);
  expect(keys.map(entryNameBytes)).toEqual(names);
  expect(keys.toSorted().map(entryNameBytes)).toEqual(names.toSorted((one, other) => one.compare(other)));
  expect(keys.map(shownName).slice(0, 3)).toEqual(['ü', '\ufffd\ufffd', 'z']);
});
