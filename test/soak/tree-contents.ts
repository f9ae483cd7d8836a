import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COMPARED, sha256, type Contents } from './soak-images';

/** All files of a tree that are compared; they are regular ones. */
export async function contentsOf(root: string): Promise<Contents> {
  const contents = new Map<string, string>();
  for (const directory of COMPARED) {
    for (const name of await readdir(join(root, directory)))
      contents.set(`/${directory}/${name}`, sha256(await readFile(join(root, directory, name))));
  }
  return contents;
}

/** Throws a readable difference where there is one. */
export function expectContents(found: Contents, expected: Contents): void {
  expect(Object.fromEntries([...found].sort())).toEqual(Object.fromEntries([...expected].sort()));
}
