import fc from 'fast-check';
import { BadFieldError } from './number';
import { parsePaxRecords } from './pax';
import { paxRecords } from './testing/craft-tar';

test('records come out as they went in, whatever bytes their values have', () => {
  const key = fc
    .string({ minLength: 1, maxLength: 300 })
    .map((text) => `K${Buffer.from(text).toString('latin1').replace(/[=\0]/g, '-')}`);
  const value = fc.uint8Array({ maxLength: 1200 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value), { maxLength: 5 }), (records) => {
      expect(parsePaxRecords(paxRecords(records))).toEqual(
        records.map(([name, bytes]) => ({ key: name, value: bytes })),
      );
    }),
  );
});

test.each([
  ['no length', 'path=x\n'],
  ['a length of nothing', '0 a=b\n'],
  ['a length that ends early', '5 a=b\n'],
  ['a length that ends late', '7 a=b\n'],
  ['a length beyond the header', '60 a=b\n'],
  ['a length of many digits', '00000000000000000006 a=b\n'],
  ['no newline', '6 a=bc'],
  ['no value', '5 ab\n'],
  ['the value of the next record', '5 ab\n6 a=b\n'],
  ['no key', '5 =b\n'],
  ['zeros behind', '6 a=b\n\0\0'],
  ['a NUL in a name', '9 path=\0\n'],
])('a header with %s is refused', (_, text) => {
  expect(() => parsePaxRecords(Buffer.from(text, 'latin1'))).toThrow(BadFieldError);
});
