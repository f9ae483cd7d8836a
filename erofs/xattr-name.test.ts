import { splitXattrName, xattrFilterBit } from './xattr-name';

describe('splitXattrName', () => {
  it.each([
    ['user.note', 1, 'note'],
    ['trusted.overlay.opaque', 4, 'overlay.opaque'],
    ['security.capability', 6, 'capability'],
    ['system.posix_acl_access', 2, ''],
    ['system.posix_acl_default', 3, ''],
  ])('takes %s apart', (name, baseIndex, rest) => {
    expect(splitXattrName(Buffer.from(name))).toEqual({ baseIndex, rest: Buffer.from(rest) });
  });

  it.each(['user.', 'users.x', 'system.posix_acl_access2', 'system.nfs4_acl', '', 'plain'])(
    'has no place for %p',
    (name) => {
      expect(splitXattrName(Buffer.from(name))).toBeUndefined();
    },
  );
});

describe('xattrFilterBit', () => {
  it('is the bit that mkfs.erofs 1.9 cleared', () => {
    // Its filter for a lone hidden `erofs.fingerprint.v1` is the bytes ff fe ff ff.
    expect(xattrFilterBit(0, Buffer.from('erofs.fingerprint.v1'))).toBe(8);
  });
});
