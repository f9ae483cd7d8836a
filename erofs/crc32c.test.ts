import { crc32c } from './crc32c';

describe('crc32c', () => {
  it('has the check value of the Castagnoli polynomial once inverted', () => {
    expect(~crc32c(Buffer.from('123456789')) >>> 0).toBe(0xe3069283);
  });

  it('can go on from where it stopped', () => {
    const data = Buffer.from('a register that is fed back in');
    expect(crc32c(data.subarray(11), crc32c(data.subarray(0, 11)))).toBe(crc32c(data));
  });
});
