import fc from 'fast-check';
import { ProtocolError } from '../errors';
import { RequestBody } from './body';

/** A request in the middle of a larger buffer, as in the buffer that all requests are read into. */
function inside(content: Uint8Array, before = 40, after = 64): RequestBody {
  const buffer = Buffer.concat([Buffer.alloc(before, 0xee), content, Buffer.alloc(after, 0)]);
  return new RequestBody(buffer, before, before + content.length, 'TEST');
}

const LITTLE = { seed: 7, numRuns: 300 } as const;

test('numbers are read where they lie inside of the request, and nowhere else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: -8, max: 80 }), (content, offset) => {
      const body = inside(content);
      const fits = (width: number): boolean => offset >= 0 && offset + width <= content.length;
      if (fits(4)) expect(body.u32(offset)).toBe(Buffer.from(content).readUInt32LE(offset));
      else expect(() => body.u32(offset)).toThrow(ProtocolError);
      const value = fits(8) ? Buffer.from(content).readBigUInt64LE(offset) : undefined;
      if (value !== undefined && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
        expect(body.u64(offset)).toBe(Number(value));
      } else {
        expect(() => body.u64(offset)).toThrow(ProtocolError);
      }
    }),
    LITTLE,
  );
});

test('a position beyond 53 bits is the last one that can be told', () => {
  const positions = [0n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n].map((value) => {
    const content = Buffer.alloc(8);
    content.writeBigUInt64LE(value);
    return inside(content).position(0);
  });
  const last = Number.MAX_SAFE_INTEGER;
  expect(positions).toEqual([0, last, last, last, last]);
  expect(() => inside(Buffer.alloc(7)).position(0)).toThrow(ProtocolError);
});

test('a name ends at its NUL inside of the request, never behind it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 32 }), fc.integer({ min: -2, max: 40 }), (content, offset) => {
      const nul = offset < 0 ? -1 : content.indexOf(0, offset);
      // Behind the request there are NULs, too: they must not be taken for the end.
      const body = inside(content);
      if (nul < 0) expect(() => body.name(offset)).toThrow(ProtocolError);
      else expect(body.name(offset)).toEqual(Buffer.from(content.subarray(offset, nul)));
    }),
    LITTLE,
  );
});

test('a request whose extensions are longer than itself has nothing to read', () => {
  const body = new RequestBody(Buffer.alloc(128), 40, 16, 'TEST');
  expect(() => body.u32(0)).toThrow(ProtocolError);
  expect(() => body.name(0)).toThrow(ProtocolError);
});

test('a name is a copy that outlives the buffer', () => {
  const buffer = Buffer.from('name\0');
  const name = new RequestBody(buffer, 0, buffer.length, 'TEST').name(0);
  buffer.fill(0xff);
  expect(name.toString()).toBe('name');
});

test('errors name the operation, the length and the place', () => {
  expect(() => inside(Buffer.alloc(3)).u32(0)).toThrow(
    'TEST: 3 bytes, too short for a field of 4 at offset 0',
  );
});
