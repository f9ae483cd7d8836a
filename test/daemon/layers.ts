import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SnapshotsConnection } from '../harness/snapshots-connection';

/** Commits a layer without a parent that has these files in its root, as containerd does: prepare, write, commit. */
export async function commitFiles(
  client: SnapshotsConnection,
  name: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<void> {
  const key = `default/1/extract ${name}`;
  const [mount] = await client.prepare(key);
  if (mount?.type !== 'bind') throw new Error('a snapshot without a parent is one directory');
  for (const [file, content] of Object.entries(files)) await writeFile(join(mount.source, file), content);
  await client.commit(name, key);
}
