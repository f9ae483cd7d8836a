import fc from 'fast-check';
import { xattrFilterBit } from '../xattr-name';
import { UnrepresentableError } from './errors';
import { fingerprintValue, fingerprintXattr } from './fingerprint-xattr';
import type { Xattr } from './tree';
import { encodeXattrBody, packXattrs, type XattrOwner } from './xattrs';

const fingerprint = fingerprintXattr('erofs.fingerprint.v1');

function xattr(name: string, value: string | Buffer): Xattr {
  return { name: Buffer.from(name), value: Buffer.from(value) };
}

function owner(xattrs: readonly Xattr[], regularFile = false): XattrOwner {
  return { xattrs, regularFile, fingerprinted: regularFile, note: undefined, shown: () => '/some/file' };
}

/** The attributes of a body, by the rules of the format alone: index and name, then value. */
function decode(body: Buffer, shared: Buffer): { shared: string[]; inline: string[]; filter: number } {
  const entry = (bytes: Buffer, at: number): { text: string; next: number } => {
    const nameEnd = at + 4 + bytes.readUInt8(at);
    const end = nameEnd + bytes.readUInt16LE(at + 2);
    const name = bytes.toString('latin1', at + 4, nameEnd);
    const padding = (4 - (end % 4)) % 4;
    expect(bytes.subarray(end, end + padding)).toEqual(Buffer.alloc(padding));
    return {
      text: `${bytes.readUInt8(at + 1)} ${name}=${bytes.toString('latin1', nameEnd, end)}`,
      next: end + padding,
    };
  };
  const count = body.readUInt8(4);
  const ids = Array.from({ length: count }, (_, index) => body.readUInt32LE(12 + 4 * index));
  const inline: string[] = [];
  for (let at = 12 + 4 * count; at < body.length;) {
    const { text, next } = entry(body, at);
    inline.push(text);
    at = next;
  }
  return {
    shared: ids.map((id) => entry(shared, id * 4).text),
    inline,
    filter: body.readUInt32LE(0),
  };
}

function pack(...owners: XattrOwner[]): ReturnType<typeof decode>[] {
  const { bodies, sharedArea } = packXattrs(owners, fingerprint);
  return bodies.map((body) => {
    if (body === undefined) return { shared: [], inline: [], filter: 0xffff_ffff };
    const value = body.fingerprint === undefined ? undefined : fingerprintValue(Buffer.alloc(32, 7));
    const bytes = encodeXattrBody(body, value);
    expect(bytes).toHaveLength(body.size);
    return decode(bytes, sharedArea);
  });
}

test('each namespace has its index, and ACLs no name', () => {
  const [packed] = pack(
    owner([
      xattr('user.a', '1'),
      xattr('trusted.b', '2'),
      xattr('security.capability', '3'),
      xattr('system.posix_acl_access', '4'),
      xattr('system.posix_acl_default', '5'),
    ]),
  );
  expect(packed?.inline).toEqual(['6 capability=3', '2 =4', '3 =5', '4 b=2', '1 a=1']);
});

test('what two inodes have alike stands once, what one has alone or with another value stays with it', () => {
  const packed = pack(
    owner([xattr('user.both', 'same'), xattr('user.own', '1')]),
    owner([xattr('user.own', '2'), xattr('user.both', 'same')]),
    owner([]),
  );
  expect(packed.map(({ shared, inline }) => ({ shared, inline }))).toEqual([
    { shared: ['1 both=same'], inline: ['1 own=1'] },
    { shared: ['1 both=same'], inline: ['1 own=2'] },
    { shared: [], inline: [] },
  ]);
});

test('no inode names more than 255 shared attributes', () => {
  const many = Array.from({ length: 300 }, (_, index) => xattr(`user.${index}`, 'same'));
  for (const { shared, inline } of pack(owner(many), owner(many))) {
    expect(shared).toHaveLength(255);
    expect(inline).toHaveLength(45);
  }
});

test('the order in which attributes are listed does not matter', () => {
  const xattrs = [xattr('user.a', '1'), xattr('user.b', '2'), xattr('trusted.c', '3')];
  expect(pack(owner(xattrs.toReversed()))).toEqual(pack(owner(xattrs)));
});

test('a regular file has its fingerprint, and no other by that name', () => {
  const visible = fingerprintXattr('trusted.erofs.fingerprint');
  const forged = owner([xattr('trusted.erofs.fingerprint', 'forged')], true);
  const { bodies } = packXattrs([forged], visible);
  const bytes = encodeXattrBody(bodies[0]!, fingerprintValue(Buffer.alloc(32, 7)));
  expect(decode(bytes, Buffer.alloc(0)).inline).toEqual([`128 =sha256:${'\x07'.repeat(32)}`]);
  expect(bytes.subarray(0, 4).toString('hex')).toBe('ffffffbf');
});

test('the filter has a bit cleared for each name and for no other', () => {
  const suffix = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme-ascii' });
  fc.assert(
    fc.property(fc.uniqueArray(suffix, { maxLength: 8 }), fc.boolean(), (names, regularFile) => {
      const [packed] = pack(
        owner(
          names.map((name) => xattr(`user.${name}`, 'x')),
          regularFile,
        ),
      );
      let expected = 0xffff_ffff;
      for (const name of names) expected = (expected & ~(1 << xattrFilterBit(1, Buffer.from(name)))) >>> 0;
      if (regularFile) expected = (expected & ~(1 << 8)) >>> 0;
      expect(packed?.filter).toBe(expected);
    }),
  );
});

describe('what EROFS cannot hold is refused, naming file and attribute', () => {
  test.each([
    ['a value of 64 KiB', [xattr('user.large', Buffer.alloc(65_536))], /\/some\/file: .*user\.large.*65536/],
    ['an unknown namespace', [xattr('btrfs.compression', 'zstd')], /\/some\/file: .*btrfs\.compression/],
    [
      'more than an inode counts',
      ['a', 'b', 'c', 'd', 'e'].map((letter) => xattr(`user.${letter}`, Buffer.alloc(65_535))),
      /\/some\/file: .*"a".*262148/,
    ],
  ])('%s', (_what, xattrs, message) => {
    const attempt = (): unknown => pack(owner(xattrs));
    expect(attempt).toThrow(UnrepresentableError);
    expect(attempt).toThrow(message);
  });

  test('but a value of 65,535 bytes is fine', () => {
    const [packed] = pack(owner([xattr('user.large', Buffer.alloc(65_535, 'x'))]));
    expect(packed?.inline).toEqual([`1 large=${'x'.repeat(65_535)}`]);
  });
});
