import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes that are the same in every run: a linear congruence, of which the high byte is taken (Numerical Recipes). */
export class Pseudorandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * limit);
  }

  bytes(length: number): Buffer {
    const noise = Buffer.allocUnsafe(length);
    for (let at = 0; at < length; at++) noise[at] = this.below(256);
    return noise;
  }
}

const WORDS =
  'the of block cluster image inode and read a layer from kernel page cache index head extent to in'.split(
    ' ',
  );

/** Text that compresses about three to one. */
export function prose(length: number, seed: number): Buffer {
  const random = new Pseudorandom(seed);
  const text = Buffer.allocUnsafe(length);
  for (let at = 0; at < length;) {
    const word =
      random.below(9) === 0 ? `${random.below(1_000_000)}\n` : `${WORDS[random.below(WORDS.length)]} `;
    at += text.write(word, at, 'latin1');
    if (at + 8 > length) {
      text.fill('.', at);
      break;
    }
  }
  return text;
}

/** Stretches of prose, noise, zeros and single letters in turn. */
export function mixture(length: number, seed: number): Buffer {
  const random = new Pseudorandom(seed);
  const parts: Buffer[] = [];
  for (let size = 0, turn = 0; size < length; turn++) {
    const span = 200 + random.below(90_000);
    const kinds = [prose(span, seed + turn), random.bytes(span), Buffer.alloc(span), Buffer.alloc(span, 'z')];
    const part = kinds[random.below(kinds.length)]!;
    parts.push(part);
    size += part.length;
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** Fills an empty directory with what compressors, packers and deduplicators treat in different ways. */
export function makeCompressibleTree(root: string): void {
  const write = (name: string, content: Buffer): void => writeFileSync(join(root, name), content);
  write('prose-2m', prose(2 * 1024 * 1024 + 77, 1));
  write('noise-600k', new Pseudorandom(2).bytes(600_000));
  write('zeros-5m', Buffer.alloc(5_000_000));
  write('letters', Buffer.alloc(300_001, 'a'));
  const mixed = mixture(3_000_000, 3);
  write('mixture-3m', mixed);
  write('mixture-again', mixed);
  write(
    'mixture-later',
    Buffer.concat([prose(3 * 4096, 4), mixed.subarray(700_000, 2_000_000), prose(99, 5)]),
  );
  write('mixture-odd', Buffer.concat([prose(1234, 6), mixed.subarray(50_001, 900_000)]));
  for (const size of [0, 1, 100, 4095, 4096, 4097, 8191, 65_535, 65_536, 65_537, 1_048_575, 1_048_577]) {
    write(`prose-${size}`, prose(size, size));
  }
  const sparse = openSync(join(root, 'sparse'), 'w');
  writeSync(sparse, mixed, 0, 100_000, 3_000_000);
  writeSync(sparse, mixed, 0, 5000, 7_000_001);
  closeSync(sparse);
  mkdirSync(join(root, 'small'));
  for (let index = 0; index < 150; index++)
    write(`small/text-${index}`, prose((index * 61) % 7000, index % 100));
  mkdirSync(join(root, 'names'));
  for (let index = 0; index < 700; index++)
    write(`names/${index.toString(36)}-${'name'.repeat(index % 17)}`, Buffer.alloc(0));
  symlinkSync('d/'.repeat(1900), join(root, 'link'));
}
