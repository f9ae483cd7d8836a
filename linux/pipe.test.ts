import { readFileSync, readSync, writeSync } from 'node:fs';
import { makePipe } from './pipe';

test('what is written to one end comes out of the other, and neither is passed on to programs', () => {
  const { reader, writer } = makePipe('test');
  using _reader = reader;
  writeSync(writer.number, 'text');
  const bytes = Buffer.alloc(10);
  expect(bytes.toString('latin1', 0, readSync(reader.number, bytes))).toBe('text');
  for (const { number } of [reader, writer]) {
    const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${number}`, 'utf8'))?.[1];
    expect(Number.parseInt(flags ?? '', 8) & 0o2000000).not.toBe(0);
  }
  writer[Symbol.dispose]();
  expect(readSync(reader.number, bytes)).toBe(0);
});
