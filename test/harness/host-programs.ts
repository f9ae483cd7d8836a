import { realpath, stat } from 'node:fs/promises';
import { runCommand } from '../../scripts/process/command';
import type { LayerEntry } from '../../scripts/oci/layer-source';

/**
 * Layer entries for dynamically linked programs of the host with every library that they load, each at the path where
 * the program or its loader looks for it. The content is the host's own, so two images that carry the same program
 * map the same library.
 */
export async function hostPrograms(programs: readonly string[]): Promise<LayerEntry[]> {
  const paths = new Set<string>();
  for (const program of programs) {
    paths.add(program);
    for (const library of await librariesOf(program)) paths.add(library);
  }
  return Promise.all([...paths].sort().map(fileEntry));
}

/** The files that the dynamic loader maps for a program, itself included, as ldd(1) lists them. */
export async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await runCommand('ldd', [program], { timeLimit: 10_000, environment: { LC_ALL: 'C' } });
  // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the loader without an arrow.
  return [...stdout.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path!);
}

/** busybox of the package busybox-static, which runs in an empty root, and links for the names that tests use. */
export async function busybox(): Promise<LayerEntry[]> {
  const names = ['sh', 'sleep', 'cat', 'ls', 'stat', 'true', 'md5sum'];
  const program = { ...(await fileEntry('/bin/busybox')), path: 'bin/busybox' };
  return [
    program,
    ...names.map((name) => ({ path: `bin/${name}`, type: 'symlink' as const, target: 'busybox' })),
  ];
}

async function fileEntry(path: string): Promise<LayerEntry> {
  const file = await realpath(path);
  const { size, mode } = await stat(file);
  return { path: path.slice(1), type: 'file', mode: mode & 0o7777, content: { file, size } };
}
