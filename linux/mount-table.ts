import { readFile } from 'node:fs/promises';

/** One line of /proc/self/mountinfo (Documentation/filesystems/proc.rst, 3.5). */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  /** Device number of the superblock, `major:minor`. */
  readonly device: string;
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  readonly type: string;
  readonly source: string;
  /** Options of the superblock; overlay's lowerdir, upperdir and workdir are here. */
  readonly superOptions: readonly string[];
}

/** The mounts that this process sees. Reading the table touches no mounted file system. */
export async function readMountTable(): Promise<MountEntry[]> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'));
}

export function parseMountTable(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): MountEntry {
  const [head = '', tail = ''] = line.split(' - ', 2);
  const [id = '', parentId = '', device = '', root = '', target = '', options = ''] = head.split(' ');
  const [type = '', source = '', superOptions = ''] = tail.split(' ');
  return {
    id: Number(id),
    parentId: Number(parentId),
    device,
    root: unescapeOctal(root),
    target: unescapeOctal(target),
    options: options.split(','),
    type,
    source: unescapeOctal(source),
    superOptions: superOptions.split(',').map(unescapeOctal),
  };
}

/** The kernel writes space, tab, newline and backslash as \ooo (fs/proc_namespace.c, mangle()). */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_match, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
