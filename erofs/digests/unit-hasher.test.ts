import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { UnitHasher } from './unit-hasher';
import { sampleBytes } from './testing/recorded-image';

function digestsOf(bytes: Buffer, unitSize: number): Buffer {
  const digests: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += unitSize) {
    digests.push(
      createHash('sha256')
        .update(bytes.subarray(at, at + unitSize))
        .digest(),
    );
  }
  return Buffer.concat(digests);
}

const source = sampleBytes(3_000_000);

describe('a hasher of units', () => {
  test('gives the digest of every unit, of many pieces at a time', async () => {
    await using hasher = new UnitHasher();
    const piece = fc.record({
      start: fc.nat(1_000_000),
      length: fc.oneof(fc.nat(70_000), fc.nat(2_000_000), fc.constantFrom(65_536, 65_537, 262_144, 524_288)),
      unitSize: fc.constantFrom(4096, 16_384, 65_536, 262_144),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 8 }), async (pieces) => {
        await Promise.all(
          pieces.map(async ({ start, length, unitSize }) => {
            const bytes = source.subarray(start, start + length);
            const digests = await hasher.digests(bytes, unitSize);
            expect(digests.equals(digestsOf(bytes, unitSize))).toBe(true);
          }),
        );
      }),
      { numRuns: 30 },
    );
  });

  test('answers little at once, and much later', async () => {
    await using hasher = new UnitHasher();
    expect(hasher.digests(source.subarray(0, 65_536), 16_384)).toBeInstanceOf(Buffer);
    const later = hasher.digests(source.subarray(0, 65_537), 16_384);
    expect(later).toBeInstanceOf(Promise);
    await later;
  });

  test('ends what it was asked for before it closes, and takes no more', async () => {
    const hasher = new UnitHasher();
    const digests = Array.from({ length: 9 }, async () => await hasher.digests(source, 16_384));
    await hasher[Symbol.asyncDispose]();
    const expected = digestsOf(source, 16_384);
    for (const each of await Promise.all(digests)) expect(each.equals(expected)).toBe(true);
    expect(() => hasher.digests(source, 16_384)).toThrow(/closed/);
    await hasher[Symbol.asyncDispose]();
  });

  test('fails what its thread had when that ends, and starts another', async () => {
    await using hasher = new UnitHasher();
    const started: Worker[] = [];
    const post = jest.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker) {
      started.push(this);
    });
    const digests = hasher.digests(source, 16_384);
    post.mockRestore();
    await started[0]!.terminate();
    await expect(digests).rejects.toThrow(/ended with code/);
    const bytes = source.subarray(0, 300_000);
    expect((await hasher.digests(bytes, 16_384)).equals(digestsOf(bytes, 16_384))).toBe(true);
  });

  test('keeps no process alive, but while somebody waits for it', () => {
    const program = `const { UnitHasher } = require(${JSON.stringify(join(__dirname, 'unit-hasher.js'))});
      Promise.resolve(new UnitHasher().digests(Buffer.alloc(1e6), 4096)).then((digests) => console.log(digests.length));`;
    const output = execFileSync(process.execPath, ['-e', program], { encoding: 'utf8', timeout: 20_000 });
    expect(output.trim()).toBe(`${Math.ceil(1e6 / 4096) * 32}`);
  });
});
