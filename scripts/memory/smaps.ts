import { readFile } from 'node:fs/promises';

/** Memory of one mapping or of several, in bytes (Documentation/filesystems/proc.rst, smaps). */
export interface MappingMemory {
  /** Pages that are mapped, whoever else maps them. */
  readonly rss: number;
  /** Each page divided by the number of processes that map it. */
  readonly pss: number;
  readonly sharedClean: number;
  readonly sharedDirty: number;
  readonly privateClean: number;
  readonly privateDirty: number;
}

export interface Mapping extends MappingMemory {
  /** `r-xp` and the like. */
  readonly permissions: string;
  /** Offset in the file, bytes. */
  readonly offset: number;
  /** As the process's own root shows it; `[heap]` and the like for special ones, empty for anonymous memory. */
  readonly path: string;
}

const FIELDS = {
  Rss: 'rss',
  Pss: 'pss',
  Shared_Clean: 'sharedClean',
  Shared_Dirty: 'sharedDirty',
  Private_Clean: 'privateClean',
  Private_Dirty: 'privateDirty',
} as const satisfies Record<string, keyof MappingMemory>;

const NOTHING: MappingMemory = {
  rss: 0,
  pss: 0,
  sharedClean: 0,
  sharedDirty: 0,
  privateClean: 0,
  privateDirty: 0,
};

/** The mappings of a process, in the order of their addresses. */
export async function readSmaps(pid: number): Promise<Mapping[]> {
  return parseSmaps(await readFile(`/proc/${pid}/smaps`, 'utf8'));
}

export function parseSmaps(text: string): Mapping[] {
  const mappings: (Record<keyof MappingMemory, number> & Omit<Mapping, keyof MappingMemory>)[] = [];
  for (const line of text.split('\n')) {
    const head = /^[0-9a-f]+-[0-9a-f]+ (\S{4}) ([0-9a-f]+) \S+ \d+ *(.*)$/.exec(line);
    if (head !== null) {
      const [, permissions = '', offset = '', path = ''] = head;
      mappings.push({ ...NOTHING, permissions, offset: parseInt(offset, 16), path });
      continue;
    }
    const [, name = '', kibibytes = ''] = /^(\w+): +(\d+) kB$/.exec(line) ?? [];
    const mapping = mappings.at(-1);
    if (mapping !== undefined && isField(name)) mapping[FIELDS[name]] = Number(kibibytes) * 1024;
  }
  return mappings;
}

function isField(name: string): name is keyof typeof FIELDS {
  return Object.hasOwn(FIELDS, name);
}

/** Sums mappings. */
export function totalMemory(mappings: readonly MappingMemory[]): MappingMemory {
  const total = { ...NOTHING } as Record<keyof MappingMemory, number>;
  for (const mapping of mappings) {
    for (const field of Object.values(FIELDS)) total[field] += mapping[field];
  }
  return total;
}

/** The mappings of files: those whose path is absolute. Deleted files and memory that is no file's are left out. */
export function fileMappings(mappings: readonly Mapping[]): Mapping[] {
  return mappings.filter(
    ({ path }) => path.startsWith('/') && !path.endsWith(' (deleted)') && path !== '/dev/zero',
  );
}
