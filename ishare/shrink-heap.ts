import { Session } from 'node:inspector/promises';

/**
 * Collects the garbage of this thread, and gives the memory back. V8 by itself lets the heap grow to several times what is in
 * use before it looks at it as a whole, and keeps room for as much new as there ever was. This thread stands still meanwhile,
 * 3 to 5 ms for each MB in use.
 */
export async function shrinkHeap(): Promise<void> {
  const session = new Session();
  session.connect();
  try {
    await session.post('HeapProfiler.collectGarbage');
  } finally {
    session.disconnect();
  }
}
