import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchImage } from './bench-image';

const PIECE = 64 << 10;

/** Images with one thing in them, made once and kept. */
export class SyntheticImages {
  constructor(private readonly directory: string) {}

  /** One file `large` of so many MiB. Half of every 64 KiB compresses well, the other not at all, as programs do on average. */
  large(mebibytes: number): Promise<BenchImage> {
    return this.#image(`large-${mebibytes}`, async (tree) => {
      const file = await open(join(tree, 'large'), 'wx');
      try {
        for (let piece = 0; piece < (mebibytes << 20) / PIECE; piece++) await file.write(pieceOf(piece));
      } finally {
        await file.close();
      }
    });
  }

  /** A directory `wide` with so many files of a few bytes. */
  wide(files: number): Promise<BenchImage> {
    return this.#image(`wide-${files}`, async (tree) => {
      const directory = join(tree, 'wide');
      await mkdir(directory);
      for (let index = 0; index < files; index++) {
        await writeFile(join(directory, `file-${index}.txt`), `${index}\n`);
      }
    });
  }

  async #image(name: string, fill: (tree: string) => Promise<void>): Promise<BenchImage> {
    const tree = join(this.directory, name);
    if (!existsSync(tree)) {
      const unfinished = `${tree}.unfinished`;
      await rm(unfinished, { recursive: true, force: true });
      await mkdir(unfinished, { recursive: true });
      await fill(unfinished);
      await rename(unfinished, tree);
    }
    return { name, layers: [tree] };
  }
}

function pieceOf(index: number): Buffer {
  const piece = Buffer.alloc(PIECE, `piece ${index} of a file that compresses well here. `);
  for (let offset = 0; offset < PIECE / 2; offset += 32) {
    createHash('sha256').update(`${index}:${offset}`).digest().copy(piece, offset);
  }
  return piece;
}
