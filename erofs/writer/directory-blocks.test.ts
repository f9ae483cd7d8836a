import fc from 'fast-check';
import { toNid } from '../brands';
import { directorySize, encodeDirectory, withDotEntries, type DirentTarget } from './directory-blocks';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 255 })
  .map((bytes) =>
    Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 1 : byte))).toString('latin1'),
  )
  .filter((text) => text !== '.' && text !== '..');

/** Entries by the rules of the format alone, block for block. */
function decode(data: Buffer): { name: Buffer; nid: bigint; type: number }[] {
  const found: { name: Buffer; nid: bigint; type: number }[] = [];
  for (let start = 0; start < data.length; start += 4096) {
    const block = data.subarray(start, start + 4096);
    const count = block.readUInt16LE(8) / 12;
    let nameEnd = count * 12;
    for (let index = 0; index < count; index++) {
      const at = index * 12;
      const nameStart = block.readUInt16LE(at + 8);
      expect(nameStart).toBe(nameEnd);
      if (index + 1 < count) {
        nameEnd = block.readUInt16LE(at + 12 + 8);
      } else {
        const nul = block.indexOf(0, nameStart);
        nameEnd = nul < 0 ? block.length : nul;
      }
      found.push({
        name: block.subarray(nameStart, nameEnd),
        nid: block.readBigUInt64LE(at),
        type: block.readUInt8(at + 10),
      });
    }
    expect(block.subarray(nameEnd).every((byte) => byte === 0)).toBe(true);
  }
  return found;
}

test('entries come in the order of their bytes over all blocks, each block as full as it gets', () => {
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 120 }), (names) => {
      const self: DirentTarget = { nid: toNid(1), fileType: 2 };
      const parent: DirentTarget = { nid: toNid(2), fileType: 2 };
      const children = names.map(
        (each, index) => [each, { nid: toNid(2 ** 40 + index), fileType: 1 }] as const,
      );
      const entries = withDotEntries(children, self, parent);
      const data = encodeDirectory(entries);
      expect(data).toHaveLength(directorySize(entries.map(([each]) => each)));

      const decoded = decode(data);
      const expected = new Map([...children, ['.', self] as const, ['..', parent] as const]);
      expect(decoded).toHaveLength(expected.size);
      for (const entry of decoded) {
        const target = expected.get(entry.name.toString('latin1'));
        expect({ nid: Number(entry.nid), fileType: entry.type }).toEqual(target);
      }
      for (const [index, entry] of decoded.slice(1).entries()) {
        expect(Buffer.compare(decoded[index]!.name, entry.name)).toBe(-1);
      }
    }),
    { numRuns: 60 },
  );
});

test('a directory whose last block is full has no further one', () => {
  // 12 + 244 bytes each: 16 fill a block.
  const entries = Array.from(
    { length: 32 },
    (_, index) => [`${index}`.padStart(244, 'n'), { nid: toNid(index), fileType: 1 }] as const,
  );
  expect(directorySize(entries.map(([each]) => each))).toBe(8192);
  expect(decode(encodeDirectory(entries))).toHaveLength(32);
});
