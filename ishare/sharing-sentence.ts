/** Kernels before have no FUSE passthrough. */
const PASSTHROUGH_SINCE = 'Linux 6.9';

/** How much is shared, and why not more, in one sentence without its full stop. */
export function sharingSentence(passthrough: boolean, allowed: boolean): string {
  if (passthrough) return 'full: read, mmap and exec use the shared pages';
  return `partial: read(2) shares, mmap and exec do not, because ${reason(allowed)}`;
}

function reason(allowed: boolean): string {
  return allowed
    ? `this kernel has no FUSE passthrough (${PASSTHROUGH_SINCE})`
    : 'the configuration forbids FUSE passthrough (fuse.passthrough = false)';
}
