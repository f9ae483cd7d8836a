import { readSmaps, type Mapping } from '../../scripts/memory/smaps';

/** The one mapping that a process has of a file, whose path is as the process itself sees it. */
export async function mappedFile(pid: number, path: string): Promise<Mapping> {
  const found = (await readSmaps(pid)).filter((mapping) => mapping.path === path);
  const [mapping] = found;
  if (mapping === undefined || found.length > 1) {
    throw new Error(`process ${pid} has ${found.length} mappings of ${path}`);
  }
  return mapping;
}
