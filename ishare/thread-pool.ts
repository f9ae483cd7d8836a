/** Four may be opening files of our own mounts; the rest reads images and does the rest of the daemon's work. */
const LEAST_THREADS = 8;
/** What libuv starts where nothing is said (docs.libuv.org, threadpool). */
const LIBUV_DEFAULT = 4;

/**
 * Refuses to serve with a pool so small that opens of our own mounts could take every thread: then nobody would be left
 * to answer them. The size is read once, at the pool's first use, so it must be in the environment from the start.
 */
export function assertThreadPoolSuffices(): void {
  const size = Number(process.env['UV_THREADPOOL_SIZE'] ?? LIBUV_DEFAULT);
  if (size >= LEAST_THREADS) return;
  throw new RangeError(
    `UV_THREADPOOL_SIZE is ${size}, at least ${LEAST_THREADS} is needed: start through bin/`,
  );
}
