import koffi from 'koffi';

/** struct mallinfo2 of <malloc.h>, glibc 2.33 and later. All fields are bytes, but for two counts. */
const MallocInfo = koffi.struct('mallinfo2', {
  arena: 'size_t',
  ordblks: 'size_t',
  smblks: 'size_t',
  hblks: 'size_t',
  hblkhd: 'size_t',
  usmblks: 'size_t',
  fsmblks: 'size_t',
  uordblks: 'size_t',
  fordblks: 'size_t',
  keepcost: 'size_t',
});

const mallinfo2 = koffi.load('libc.so.6').func('mallinfo2', MallocInfo, []) as () => {
  readonly hblkhd: number;
  readonly uordblks: number;
};

/** Bytes that this process has allocated through the C library and not freed, in all threads: contents of buffers too. */
export function allocatedBytes(): number {
  const { hblkhd, uordblks } = mallinfo2();
  return hblkhd + uordblks;
}
