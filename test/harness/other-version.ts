import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The checkout's root, from dist/test/harness. */
const CHECKOUT = join(__dirname, '..', '..', '..');
/** What is installed apart from the packages, but for package.json, which tells the version. */
const PROGRAM = ['bin', 'dist'];

/** Installs this program under another version in a directory that is made, and returns the launcher of its daemon. */
export async function installVersion(directory: string, version: string): Promise<string> {
  await mkdir(directory);
  const ships = (source: string): boolean => source !== join(CHECKOUT, 'dist', 'test');
  for (const part of PROGRAM)
    await cp(join(CHECKOUT, part), join(directory, part), { recursive: true, filter: ships });
  const description = JSON.parse(await readFile(join(CHECKOUT, 'package.json'), 'utf8')) as object;
  await writeFile(join(directory, 'package.json'), JSON.stringify({ ...description, version }));
  await symlink(join(CHECKOUT, 'node_modules'), join(directory, 'node_modules'));
  return join(directory, 'bin', 'ishare-snapshotter');
}
