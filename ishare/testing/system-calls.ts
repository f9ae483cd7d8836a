/** Numbers of system calls that perl has no function for (asm/unistd.h). */
export interface SystemCalls {
  readonly mmap: number;
  readonly fadvise64: number;
  readonly readahead: number;
}

const CALLS: Readonly<Partial<Record<NodeJS.Architecture, SystemCalls>>> = {
  x64: { mmap: 9, fadvise64: 221, readahead: 187 },
  arm64: { mmap: 222, fadvise64: 223, readahead: 213 },
};

export function systemCalls(): SystemCalls {
  const calls = CALLS[process.arch];
  if (calls === undefined)
    throw new Error(`the numbers of ${process.arch}'s system calls are not known here`);
  return calls;
}
