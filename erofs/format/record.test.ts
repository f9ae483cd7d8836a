import fc from 'fast-check';
import { METABOX_NID, toNid } from '../brands';
import { ErofsCorruptError } from '../errors';
import { bytes, defineRecord, nid64, s64, u16, u32, u64, u8, union } from './record';

const record = defineRecord('sample', 40, {
  small: u8(0),
  word: u16(2),
  long: u32(4),
  huge: u64(8),
  signed: s64(16),
  node: nid64(24),
  raw: bytes(32, 8),
});
const site = { image: 'sample image', nid: toNid(7), origin: 1000 };

describe('a record', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(
        fc.record({
          small: fc.integer({ min: 0, max: 0xff }),
          word: fc.integer({ min: 0, max: 0xffff }),
          long: fc.integer({ min: 0, max: 0xffffffff }),
          huge: fc.maxSafeNat(),
          signed: fc.maxSafeInteger(),
          node: fc
            .tuple(fc.nat({ max: 2 ** 31 - 1 }), fc.boolean())
            .map(([slot, metabox]) => toNid(slot * 2 ** 17 + (metabox ? METABOX_NID : 0))),
          raw: fc.uint8Array({ minLength: 8, maxLength: 8 }).map((array) => Buffer.from(array)),
        }),
        fc.nat({ max: 9 }),
        (values, base) => {
          const buffer = Buffer.alloc(base + record.size + 3, 0xee);
          record.write(buffer, base, values);
          const view = record.read(buffer, base, site);
          for (const name of Object.keys(values) as (keyof typeof values)[]) {
            expect(view[name]).toEqual(values[name]);
          }
          expect(buffer.subarray(0, base).every((byte) => byte === 0xee)).toBe(true);
          expect(buffer.subarray(base + record.size).equals(Buffer.alloc(3, 0xee))).toBe(true);
        },
      ),
    );
  });

  it('lies little-endian on disk, fields left out zero', () => {
    const buffer = Buffer.alloc(record.size, 0xff);
    record.write(buffer, 0, { word: 0x1234, huge: 0x1_0000_0002, node: toNid(METABOX_NID + 5) });
    expect(buffer.toString('hex')).toBe(
      '00003412000000000200000001000000' + '00000000000000000500000000000080' + '0000000000000000',
    );
  });

  it('refuses a buffer that is too short, naming image, inode and byte', () => {
    const read = () => record.read(Buffer.alloc(50), 11, site);
    expect(read).toThrow(ErofsCorruptError);
    expect(read).toThrow(
      expect.objectContaining({ image: 'sample image', nid: 7, offset: 1011, field: 'sample' }) as Error,
    );
    expect(() => record.read(Buffer.alloc(50), -1, site)).toThrow(ErofsCorruptError);
  });

  it.each([
    ['huge', 8, 0x0020_0000_0000_0000n],
    ['signed', 16, 0x7fff_ffff_ffff_ffffn],
    ['node', 24, 0x0001_0000_0000_0000n],
  ] as const)('refuses a value of %s that no number holds exactly', (field, offset, value) => {
    const buffer = Buffer.alloc(record.size);
    buffer.writeBigUInt64LE(value, offset);
    const view = record.read(buffer, 0, site);
    expect(() => view[field]).toThrow(
      expect.objectContaining({
        code: 'EUCLEAN',
        field: `sample.${field}`,
        offset: 1000 + offset,
        nid: 7,
      }) as Error,
    );
  });

  it.each([
    { small: 256 },
    { small: -1 },
    { word: 1.5 },
    { long: 2 ** 32 },
    { huge: 2 ** 53 },
    { raw: Buffer.alloc(9) },
  ])('does not write %p, which does not fit', (values) => {
    expect(() => record.write(Buffer.alloc(record.size), 0, values)).toThrow(RangeError);
  });
});

describe('a record table', () => {
  it('may not overlap by mistake', () => {
    expect(() => defineRecord('wrong', 8, { first: u32(0), second: u16(2) })).toThrow(
      /wrong.second overlaps/,
    );
    expect(() => defineRecord('right', 8, { first: u32(0), second: union(u16(2)) })).not.toThrow();
  });

  it('may not reach beyond its size', () => {
    expect(() => defineRecord('wrong', 8, { field: u64(1) })).toThrow(/wrong.field/);
  });
});
