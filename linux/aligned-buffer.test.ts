import { constants, openSync, closeSync, readSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { alignedBuffer, DIRECT_IO_ALIGNMENT } from './aligned-buffer';
import { addressOf } from './libc';
import { rawAlignedBuffer } from './raw-aligned-buffer';

describe.each([
  ['zero-filled', alignedBuffer],
  ['raw', rawAlignedBuffer],
])('%s', (_how, make) => {
  test.each([1, 512, 4095, 4096, 65_536, 1 << 20])('%i bytes begin on a page boundary', (length) => {
    const buffers = Array.from({ length: 20 }, () => make(length));
    for (const buffer of buffers) {
      expect(buffer).toHaveLength(length);
      expect(addressOf(buffer) % BigInt(DIRECT_IO_ALIGNMENT)).toBe(0n);
    }
  });

  test('other boundaries are possible', () => {
    expect(addressOf(make(100, 1 << 16)) % (1n << 16n)).toBe(0n);
  });

  test('the kernel reads into it past the page cache', () => {
    const directory = mkdtempSync(path.join(__dirname, 'aligned-'));
    try {
      const file = path.join(directory, 'file');
      const content = Buffer.alloc(8192, 'direct');
      writeFileSync(file, content);
      const fd = openSync(file, constants.O_RDONLY | constants.O_DIRECT);
      try {
        const buffer = make(8192);
        expect(readSync(fd, buffer, 0, 8192, 0)).toBe(8192);
        expect(buffer.equals(content)).toBe(true);
      } finally {
        closeSync(fd);
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

test('a zero-filled buffer is', () => {
  expect(alignedBuffer(10_000).every((byte) => byte === 0)).toBe(true);
});
