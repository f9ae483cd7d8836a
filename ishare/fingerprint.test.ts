import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { parseFingerprint } from './fingerprint';

test('the value that mkfs.erofs writes is a fingerprint, named by its digest', () => {
  const digest = createHash('sha256').update('1').digest();
  expect(parseFingerprint(Buffer.concat([Buffer.from('sha256:'), digest]))).toBe(digest.toString('hex'));
});

test('another length or algorithm is no fingerprint', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (tail) => {
      fc.pre(tail.length !== 32);
      expect(parseFingerprint(Buffer.concat([Buffer.from('sha256:'), tail]))).toBeUndefined();
    }),
  );
  expect(parseFingerprint(Buffer.concat([Buffer.from('sha512:'), Buffer.alloc(32)]))).toBeUndefined();
  expect(parseFingerprint(Buffer.concat([Buffer.from('SHA256:'), Buffer.alloc(32)]))).toBeUndefined();
});
