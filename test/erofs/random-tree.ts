import { closeSync, linkSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setXattr } from '../../linux/xattr';
import { mixture, prose, type Pseudorandom } from './compressible-tree';

const FILES = 30;
const SIZES = [0, 1, 511, 512, 513, 4095, 4096, 4097, 12_288, 65_536, 200_000, 1_100_000];

/** Fills an empty directory with files, links, directories and attributes that depend on nothing but `random`. */
export function makeRandomTree(root: string, random: Pseudorandom): void {
  const directories = [root];
  const contents: Buffer[] = [Buffer.alloc(0)];
  for (let index = 0; index < FILES; index++) {
    const parent = directories[random.below(directories.length)]!;
    const path = join(parent, `${index}-${'n'.repeat(random.below(60))}`);
    if (random.below(6) === 0) {
      mkdirSync(path);
      directories.push(path);
      continue;
    }
    if (random.below(9) === 0) {
      symlinkSync('t/'.repeat(1 + random.below(300)), path);
      continue;
    }
    const content = makeContent(random, contents);
    contents.push(content);
    writeFile(path, content, random);
    if (random.below(8) === 0) linkSync(path, join(parent, `${index}-again`));
    // Values that many files share, and others.
    if (random.below(3) === 0) setXattr(path, 'user.common', Buffer.from('shared'));
    if (random.below(5) === 0) setXattr(path, 'trusted.own', random.bytes(random.below(200)));
  }
}

/** New bytes, or such as another file has: whole, in part, or shifted. */
function makeContent(random: Pseudorandom, contents: readonly Buffer[]): Buffer {
  const size = random.below(2) === 0 ? SIZES[random.below(SIZES.length)]! : random.below(150_000);
  const known = contents[random.below(contents.length)]!;
  switch (random.below(6)) {
    case 0:
      return known;
    case 1:
      return Buffer.concat([prose(random.below(5000), size), known.subarray(random.below(known.length + 1))]);
    case 2:
      return random.bytes(Math.min(size, 100_000));
    case 3:
      return Buffer.alloc(size, random.below(3));
    case 4:
      return prose(size, size + 1);
    default:
      return mixture(size, size + 2);
  }
}

/** Some have a hole in the middle. */
function writeFile(path: string, content: Buffer, random: Pseudorandom): void {
  writeFileSync(path, content);
  if (random.below(5) !== 0) return;
  const file = openSync(path, 'r+');
  writeSync(file, content, 0, Math.min(content.length, 5000), content.length + random.below(300_000));
  closeSync(file);
}
