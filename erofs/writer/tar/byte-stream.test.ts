import fc from 'fast-check';
import { ByteStream } from './byte-stream';

async function* pieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer, void> {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    yield await Promise.resolve(bytes.subarray(at, at + size));
    at += size;
  }
}

test('bytes are the same in whatever pieces they come and are taken', async () => {
  const size = fc.integer({ min: 1, max: 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.array(size, { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(size, fc.boolean()), { minLength: 1, maxLength: 5 }),
      async (array, given, taken) => {
        const bytes = Buffer.from(array);
        const stream = new ByteStream(pieces(bytes, given));
        const parts: Buffer[] = [];
        for (let index = 0, position = 0; ; index++) {
          expect(stream.position).toBe(position);
          const [length, exact] = taken[index % taken.length]!;
          const part = exact ? await stream.take(length) : ((await stream.some(length)) ?? Buffer.alloc(0));
          parts.push(part);
          position += part.length;
          if (part.length === 0) break;
          if (exact && position < bytes.length) expect(part).toHaveLength(length);
          expect(part.length).toBeLessThanOrEqual(length);
        }
        expect(Buffer.concat(parts)).toEqual(bytes);
        expect(await stream.some(5)).toBeUndefined();
      },
    ),
  );
});

test('a failure of the source comes where the bytes are missing', async () => {
  async function* failing(): AsyncGenerator<Buffer, void> {
    yield await Promise.resolve(Buffer.from('abc'));
    throw new Error('broken');
  }
  const stream = new ByteStream(failing());
  expect(await stream.take(3)).toEqual(Buffer.from('abc'));
  await expect(stream.take(1)).rejects.toThrow('broken');
});
