import fc from 'fast-check';
import { decodeDevice, encodeDevice } from './inode';

describe('device numbers', () => {
  it('are as Linux encodes them', () => {
    expect(encodeDevice(8, 1)).toBe(0x801);
    expect(encodeDevice(0xabc, 0x12345)).toBe(0x123abc45);
  });

  it('come back as they went in', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xfff }),
        fc.integer({ min: 0, max: 0xfffff }),
        (major, minor) => {
          expect(decodeDevice(encodeDevice(major, minor))).toEqual({ major, minor });
        },
      ),
    );
  });
});
